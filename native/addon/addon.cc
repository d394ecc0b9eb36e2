// The addon: everything that native/index.ts describes.
#include <napi.h>

#include "native/addon/heap_binding.h"
#include "native/addon/instance.h"
#include "native/addon/model_binding.h"
#include "native/addon/process_binding.h"
#include "native/addon/registry_binding.h"
#include "native/addon/storage_binding.h"
#include "native/addon/workload_binding.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  using namespace plugpull::addon;
  env.SetInstanceData(new Instance);
  define_storage(env, exports);
  define_heap(env, exports);
  define_registry(env, exports);
  define_process(env, exports);
  define_workloads(env, exports);
  define_model(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(plugpull, init)
