#pragma once
#include <napi.h>

namespace plugpull::addon {

// What the addon keeps for one Node environment: the constructors of its classes.
struct Instance {
  Napi::FunctionReference storage;
  Napi::FunctionReference heap;
  Napi::FunctionReference stl_map;
  Napi::FunctionReference threads;
  Napi::FunctionReference model;

  static Instance& of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }
};

}  // namespace plugpull::addon
