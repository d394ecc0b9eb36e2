#pragma once
#include <napi.h>

#include "native/heap/heap.h"

namespace plugpull::addon {

// HeapOptions of native/index.ts. TypeError or RangeError names the option that is wrong.
HeapOptions heap_options(const Napi::Value& value, bool create);

}  // namespace plugpull::addon
