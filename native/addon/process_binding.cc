#include "native/addon/process_binding.h"

#include "native/addon/convert.h"
#include "native/process/end.h"
#include "native/process/folders.h"
#include "native/process/fork.h"
#include "native/process/machine.h"
#include "native/process/marks.h"
#include "native/process/page_cache.h"
#include "native/process/steps.h"
#include "native/tracking/tracker.h"

namespace plugpull::addon {
namespace {

using Info = Napi::CallbackInfo;

Napi::Value arm_steps(const Info& info) {
  const bool halt = info[1].IsBoolean() && info[1].As<Napi::Boolean>().Value();
  plugpull::arm_steps(whole_number(info[0], "at"), halt ? AtStep::kHalt : AtStep::kKill);
  return info.Env().Undefined();
}

Napi::Value steps_passed(const Info& info) {
  const std::vector<std::string> steps = plugpull::steps_passed();
  const Napi::Array names = Napi::Array::New(info.Env(), steps.size());
  for (std::uint32_t i = 0; i < steps.size(); ++i) names.Set(i, Napi::String::New(info.Env(), steps[i]));
  return names;
}

Napi::Value trace_steps_to(const Info& info) {
  const bool off = info[0].IsNumber() && info[0].As<Napi::Number>().Int64Value() == -1;
  plugpull::trace_steps_to(off ? -1 : static_cast<int>(whole_number(info[0], "fd")));
  return info.Env().Undefined();
}

Napi::Value mark_steps(const Info& info) {
  plugpull::mark_steps(info[0].IsBoolean() && info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

Napi::Value open_marks(const Info& info) {
  const Napi::Object from = object(info[0], "places");
  MarkPlaces places;
  if (from.Get("port").IsString()) places.port = text(from.Get("port"), "port");
  if (from.Get("device").IsString()) places.device = text(from.Get("device"), "device");
  places.offset = whole_number_or(from, "offset", 0);
  guarded(info.Env(), [&] { plugpull::open_marks(places); });
  return info.Env().Undefined();
}

Napi::Value mark(const Info& info) {
  const std::string what = text(info[0], "text");
  guarded(info.Env(), [&] { plugpull::mark(what); });
  return info.Env().Undefined();
}

Napi::Value set_clock(const Info& info) {
  const std::uint64_t millis = whole_number(info[0], "epochMillis");
  guarded(info.Env(), [&] { plugpull::set_clock(millis); });
  return info.Env().Undefined();
}

Napi::Value add_entropy(const Info& info) {
  if (!info[0].IsBuffer()) throw Napi::TypeError::New(info.Env(), "bytes: a Buffer is needed");
  const auto bytes = info[0].As<Napi::Buffer<char>>();
  guarded(info.Env(), [&] { plugpull::add_entropy(bytes.Data(), bytes.Length()); });
  return info.Env().Undefined();
}

Napi::Value kernel_log(const Info& info) {
  return Napi::String::New(info.Env(), guarded(info.Env(), [] { return plugpull::kernel_log(); }));
}

Napi::Value kill_after(const Info& info) {
  const std::uint64_t nanoseconds = whole_number(info[0], "nanoseconds");
  guarded(info.Env(), [&] { plugpull::kill_after(nanoseconds); });
  return info.Env().Undefined();
}

Napi::Value fork_child(const Info& info) {
  const pid_t pid = guarded(info.Env(), [] { return plugpull::fork_child(); });
  return Napi::Number::New(info.Env(), pid);
}

Napi::Value stopped_value(Napi::Env env, ChildEnd::Stopped stopped) {
  switch (stopped) {
    case ChildEnd::Stopped::kNo:
      return env.Null();
    case ChildEnd::Stopped::kTime:
      return Napi::String::New(env, "time");
    case ChildEnd::Stopped::kMemory:
      return Napi::String::New(env, "memory");
    case ChildEnd::Stopped::kOutput:
      return Napi::String::New(env, "output");
  }
  return env.Null();
}

Napi::Value wait_child(const Info& info) {
  const Napi::Env env = info.Env();
  const auto pid = static_cast<pid_t>(whole_number(info[0], "pid"));
  const Napi::Object from = object(info[1], "limits");
  const ChildLimits limits{whole_number(from.Get("timeMs"), "timeMs"),
                           whole_number(from.Get("rssBytes"), "rssBytes"),
                           whole_number(from.Get("outputBytes"), "outputBytes")};
  const ChildEnd end = guarded(env, [&] { return plugpull::wait_child(pid, limits); });
  const Napi::Object result = Napi::Object::New(env);
  const Napi::Value status = Napi::Number::New(env, end.status);
  result.Set("exit", end.exited ? status : env.Null());
  result.Set("signal", end.exited ? env.Null() : status);
  result.Set("stopped", stopped_value(env, end.stopped));
  result.Set("maxRssBytes", Napi::Number::New(env, static_cast<double>(end.max_rss_bytes)));
  result.Set("output", Napi::Buffer<char>::Copy(env, end.output.data(), end.output.size()));
  return result;
}

Napi::Value exit_now(const Info& info) {
  const std::uint64_t status = whole_number(info[0], "status");
  if (status > 255) throw Napi::RangeError::New(info.Env(), "an exit status is at most 255");
  plugpull::exit_now(static_cast<int>(status));
}

Napi::Value kill_self(const Info&) { plugpull::kill_self(); }

Napi::Value compare_folders(const Info& info) {
  const std::string a = text(info[0], "a");
  const std::string b = text(info[1], "b");
  const auto difference = guarded(info.Env(), [&] { return plugpull::compare_folders(a, b); });
  if (!difference) return info.Env().Null();
  return Napi::String::New(info.Env(), *difference);
}

Napi::Value copy_folder(const Info& info) {
  const std::string from = text(info[0], "from");
  const std::string to = text(info[1], "to");
  guarded(info.Env(), [&] { plugpull::copy_folder(from, to); });
  return info.Env().Undefined();
}

Napi::Value unwritten_pages(const Info& info) {
  const std::string file = text(info[0], "file");
  const auto pages = guarded(info.Env(), [&] { return plugpull::unwritten_pages(file); });
  if (!pages) return info.Env().Null();
  return Napi::Number::New(info.Env(), static_cast<double>(*pages));
}

Napi::Value reflink_available(const Info& info) {
  const std::string folder = text(info[0], "folder");
  return Napi::Boolean::New(info.Env(),
                            guarded(info.Env(), [&] { return plugpull::reflink_available(folder); }));
}

Napi::Value trackers_available(const Info& info) {
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("pagemap", Napi::Boolean::New(info.Env(), pagemap_scan_available()));
  return result;
}

}  // namespace

void define_process(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("armSteps", arm_steps);
  add("stepsPassed", steps_passed);
  add("traceStepsTo", trace_steps_to);
  add("markSteps", mark_steps);
  add("openMarks", open_marks);
  add("mark", mark);
  add("setClock", set_clock);
  add("addEntropy", add_entropy);
  add("kernelLog", kernel_log);
  add("killAfter", kill_after);
  add("forkChild", fork_child);
  add("waitChild", wait_child);
  add("exitNow", exit_now);
  add("killSelf", kill_self);
  add("compareFolders", compare_folders);
  add("copyFolder", copy_folder);
  add("unwrittenPages", unwritten_pages);
  add("reflinkAvailable", reflink_available);
  add("trackersAvailable", trackers_available);
}

}  // namespace plugpull::addon
