#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <vector>

#include "native/heap/heap.h"

namespace plugpull::addon {

// The JavaScript class NativeHeap over one Heap.
class NativeHeap : public Napi::ObjectWrap<NativeHeap> {
 public:
  explicit NativeHeap(const Napi::CallbackInfo& info);
  ~NativeHeap() override;

  static void define(Napi::Env env);
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Storage> storage, std::unique_ptr<Heap> heap);
  // TypeError for what is no heap, Error for one that is closed.
  static NativeHeap& of(const Napi::Value& value);

  // The open heap; throws a JavaScript error if it is closed. Users of the heap that live on their own
  // (threads) hold on to `shared` and are told by `before_close`, so that the mapping outlives them.
  Heap& heap(Napi::Env env) const;
  std::shared_ptr<Heap> shared() const { return heap_; }
  void before_close(std::function<void()> callback) { before_close_.push_back(std::move(callback)); }

 private:
  Napi::Value buffer(const Napi::CallbackInfo& info);
  Napi::Value size(const Napi::CallbackInfo& info);
  Napi::Value sequence(const Napi::CallbackInfo& info);
  Napi::Value last_commit_pages(const Napi::CallbackInfo& info);
  Napi::Value root(const Napi::CallbackInfo& info);
  void set_root(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value layout(const Napi::CallbackInfo& info);
  void set_layout(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value allocate(const Napi::CallbackInfo& info);
  void release(const Napi::CallbackInfo& info);
  Napi::Value usable_size(const Napi::CallbackInfo& info);
  void trim(const Napi::CallbackInfo& info);
  void commit(const Napi::CallbackInfo& info);
  void checkpoint(const Napi::CallbackInfo& info);
  Napi::Value verify(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // Takes the memory away from the ArrayBuffer that was handed out.
  void detach_buffer();
  void detach_if_resized();
  void close_heap();

  std::shared_ptr<Storage> storage_;  // outlives the heap
  std::shared_ptr<Heap> heap_;
  Napi::Reference<Napi::ArrayBuffer> buffer_;
  std::size_t buffer_size_ = 0;
  std::vector<std::function<void()>> before_close_;
};

void define_heap(Napi::Env env, Napi::Object exports);

}  // namespace plugpull::addon
