{
  "target_defaults": {
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
    "cflags_cc": ["-std=gnu++20", "-fexceptions", "-frtti", "-Wall", "-Wextra", "-Wno-cast-function-type", "-O2"],
    "include_dirs": ["."]
  },
  "targets": [
    {
      "target_name": "plugpull",
      "sources": ["<!@(find native -name '*.cc' -not -path '*/test/*' -not -path '*/guard/*' -not -path '*/disk/*' | sort)"],
      "include_dirs": [".", "<!@(node -p \"require('node-addon-api').include\")"],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"]
    },
    {
      "target_name": "plugpull-guard",
      "type": "executable",
      "sources": ["<!@(find native/guard -name '*.cc' | sort)"]
    }
  ],
  "conditions": [
    ["'<!(pkg-config --exists fuse3 && echo yes || echo no)' == 'yes'", {
      "targets": [
        {
          "target_name": "plugpull-disk",
          "type": "executable",
          "sources": ["<!@(find native/disk -name '*.cc' -not -path '*/test/*' | sort)"],
          "include_dirs": [".", "<!@(pkg-config --cflags-only-I fuse3 | sed 's/-I//g')"],
          "libraries": ["<!@(pkg-config --libs fuse3)"]
        }
      ]
    }]
  ]
}
