#pragma once
#include <napi.h>

#include <cstddef>

namespace plugpull::addon {

// An ArrayBuffer over memory that is not ours to free. Unlike Napi::ArrayBuffer::New, which
// queues a finalizer for the event loop with each buffer, this leaves nothing behind: a synchronous
// worker opens millions of heaps without ever returning to its loop.
Napi::ArrayBuffer external_array_buffer(Napi::Env env, std::byte* data, std::size_t size);

}  // namespace plugpull::addon
