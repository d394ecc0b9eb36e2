#include "native/addon/model_binding.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "native/addon/convert.h"
#include "native/addon/explore_convert.h"
#include "native/addon/instance.h"
#include "native/addon/storage_binding.h"
#include "native/explore/explorer.h"
#include "native/explore/minimize.h"
#include "native/fams/step.h"
#include "native/model/model_storage.h"

namespace plugpull::addon {
namespace {

// Marks our own objects, so that nothing else is ever unwrapped as one.
constexpr napi_type_tag kTag = {0x7c20e4f9b1d3586a, 0xa59b40c7d2e81f36};

const Profile& profile_of(Napi::Env env, const Napi::Object& options) {
  const std::string name = text_or(options, "profile", "posix");
  const Profile* profile = profile_by_name(name);
  if (profile == nullptr) throw Napi::RangeError::New(env, "there is no profile \"" + name + "\"");
  return *profile;
}

// Tells the view which steps recovery passes.
class ViewSteps : public StepObserver {
 public:
  explicit ViewSteps(CrashView& view) : view_(view), before_(observe_steps(this)) {}
  ~ViewSteps() override { observe_steps(before_); }
  ViewSteps(const ViewSteps&) = delete;
  ViewSteps& operator=(const ViewSteps&) = delete;
  void at(std::string_view step) override { view_.note_step(step); }

 private:
  CrashView& view_;
  StepObserver* before_;
};

ExploreOptions explore_options(const Napi::Object& from, const Profile& profile) {
  ExploreOptions options;
  options.profile = &profile;
  options.seed = whole_number_or(from, "seed", options.seed);
  options.max_states = whole_number_or(from, "maxStates", options.max_states);
  options.random_tears =
      static_cast<std::uint32_t>(whole_number_or(from, "randomTears", options.random_tears));
  options.nested = static_cast<unsigned>(whole_number_or(from, "nested", options.nested));
  options.nested_states = whole_number_or(from, "nestedStates", options.nested_states);
  options.kill_first = flag_or(from, "killFirst", options.kill_first);
  options.memory_bytes = whole_number_or(from, "memoryBytes", options.memory_bytes);
  options.stop_at_first = flag_or(from, "stopAtFirst", options.stop_at_first);
  return options;
}

}  // namespace

// One run over the model: first it is recorded, then its crash states are explored.
class NativeModel : public Napi::ObjectWrap<NativeModel> {
 public:
  explicit NativeModel(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeModel>(info) {
    info.This().As<Napi::Object>().TypeTag(&kTag);
  }

  static void define(Napi::Env env) {
    const Napi::Function constructor = DefineClass(
        env, "NativeModel",
        {InstanceAccessor<&NativeModel::storage>("storage"),
         InstanceAccessor<&NativeModel::crashed>("crashed"), InstanceAccessor<&NativeModel::hash>("hash"),
         InstanceAccessor<&NativeModel::operations>("operations"),
         InstanceAccessor<&NativeModel::points>("points"), InstanceMethod<&NativeModel::ack>("ack"),
         InstanceMethod<&NativeModel::finish>("finish"), InstanceMethod<&NativeModel::explore>("explore"),
         InstanceMethod<&NativeModel::replay>("replay"), InstanceMethod<&NativeModel::minimize>("minimize"),
         InstanceMethod<&NativeModel::slice>("slice"), InstanceMethod<&NativeModel::recovered>("recovered")});
    Instance::of(env).model = Napi::Persistent(constructor);
  }

  static Napi::Value create(const Napi::CallbackInfo& info) {
    const Napi::Object object = Instance::of(info.Env()).model.New({});
    Unwrap(object)->start(info.Env(), plugpull::addon::object(info[0], "options"));
    return object;
  }

 private:
  void start(Napi::Env env, const Napi::Object& options) {
    profile_ = &profile_of(env, options);
    ModelStorage::Options of_model;
    of_model.profile = profile_;
    of_model.trace_bytes = whole_number_or(options, "traceBytes", of_model.trace_bytes);
    recorded_ = std::make_shared<ModelStorage>(of_model);
    steps_ = std::make_unique<StepRecorder>(*recorded_);
  }

  Napi::Value storage(const Napi::CallbackInfo& info) {
    return NativeStorage::wrap(info.Env(), recorded_, "model");
  }

  // The files as a crash left them; valid while a check runs.
  Napi::Value crashed(const Napi::CallbackInfo& info) {
    return NativeStorage::wrap(info.Env(), std::shared_ptr<Storage>(explorer(info), &explorer_->view()),
                               "crashed");
  }

  void ack(const Napi::CallbackInfo& info) { recorded_->ack(whole_number(info[0], "commit")); }

  // The run is over: nothing more is recorded.
  void finish(const Napi::CallbackInfo& info) {
    steps_.reset();
    recorded_->release_memory();
    const Napi::Object options = plugpull::addon::object(info[0], "options");
    options_ = explore_options(options, *profile_);
    guarded(info.Env(), [&] { explorer_ = std::make_shared<Explorer>(recorded_->trace(), options_); });
  }

  Napi::Value explore(const Napi::CallbackInfo& info) {
    return with_check(info, 0, [&](const Check& check) {
      const Napi::Function stop = info[1].As<Napi::Function>();
      const auto stopping = [&] { return stop.Call({}).ToBoolean().Value(); };
      const std::vector<std::uint32_t> some = points_of(info[2]);
      return explored_object(info.Env(), explorer_->explore_points(some, check, stopping));
    });
  }

  // The points of the run that exploration looks at, for those who share them out.
  Napi::Value points(const Napi::CallbackInfo& info) {
    const Napi::Array list = Napi::Array::New(info.Env());
    for (const std::uint32_t point : explorer(info)->points()) {
      list.Set(list.Length(), Napi::Number::New(info.Env(), point));
    }
    return list;
  }

  std::vector<std::uint32_t> points_of(const Napi::Value& value) const {
    if (value.IsUndefined()) return explorer_->points();
    if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "points must be an array");
    const auto array = value.As<Napi::Array>();
    std::vector<std::uint32_t> some;
    for (std::uint32_t i = 0; i < array.Length(); ++i) {
      some.push_back(static_cast<std::uint32_t>(whole_number(array.Get(i), "a point")));
    }
    return some;
  }

  Napi::Value replay(const Napi::CallbackInfo& info) {
    const std::string path = text(info[0], "path");
    return with_check(info, 1, [&](const Check& check) -> Napi::Value {
      return Napi::Number::New(info.Env(), explorer_->replay(StatePath::parse(path), check));
    });
  }

  Napi::Value minimize(const Napi::CallbackInfo& info) {
    const std::string path = text(info[0], "path");
    const auto tries = static_cast<unsigned>(whole_number(info[2], "tries"));
    return with_check(info, 1, [&](const Check& check) {
      return minimized_object(info.Env(),
                              plugpull::minimize(*explorer_, StatePath::parse(path), check, tries));
    });
  }

  // Recovery gave the state of this commit: a later cut may not lose it.
  void recovered(const Napi::CallbackInfo& info) {
    explorer(info)->view().ack(whole_number(info[0], "commit"));
  }

  Napi::Value hash(const Napi::CallbackInfo& info) {
    return Napi::String::New(info.Env(), trace_hash(recorded_->trace()));
  }

  Napi::Value operations(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(recorded_->trace().recording.ops().size()));
  }

  // Operations [from, to) of the recorded run, for reports.
  Napi::Value slice(const Napi::CallbackInfo& info) {
    return operations_array(info.Env(), recorded_->trace(), whole_number(info[0], "from"),
                            whole_number(info[1], "to"));
  }

  const std::shared_ptr<Explorer>& explorer(const Napi::CallbackInfo& info) const {
    if (!explorer_) throw Napi::Error::New(info.Env(), "the run is not finished");
    return explorer_;
  }

  // Runs `body` with the JavaScript function at `index` as the check of each state.
  template <typename Body>
  Napi::Value with_check(const Napi::CallbackInfo& info, std::size_t index, Body&& body) {
    const Napi::Env env = info.Env();
    explorer(info);
    if (!info[index].IsFunction()) throw Napi::TypeError::New(env, "a check is needed");
    const Napi::Function function = info[index].As<Napi::Function>();
    const ViewSteps steps(explorer_->view());
    const Check check = [&](CrashView&, const StateInfo& state) -> unsigned {
      const Napi::HandleScope scope(env);
      const Napi::Value verdict =
          function.Call({Napi::Number::New(env, static_cast<double>(state.acked)),
                         Napi::Number::New(env, state.point), Napi::Number::New(env, state.cuts)});
      return verdict.ToNumber().Uint32Value();
    };
    return guarded(env, [&] { return body(check); });
  }

  const Profile* profile_ = nullptr;
  std::shared_ptr<ModelStorage> recorded_;
  std::unique_ptr<StepRecorder> steps_;
  ExploreOptions options_;
  std::shared_ptr<Explorer> explorer_;
};

namespace {

Napi::Value profiles(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Array result = Napi::Array::New(env);
  for (const Profile& profile : all_profiles()) {
    const Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", std::string(profile.name));
    entry.Set("summary", std::string(profile.summary));
    entry.Set("reflink", profile.reflink);
    const Napi::Array rules = Napi::Array::New(env);
    for (const ProfileRule& rule : profile.rules) {
      const Napi::Object one = Napi::Object::New(env);
      one.Set("rule", std::string(rule.rule));
      one.Set("source", std::string(rule.source));
      rules.Set(rules.Length(), one);
    }
    entry.Set("rules", rules);
    result.Set(result.Length(), entry);
  }
  return result;
}

}  // namespace

void define_model(Napi::Env env, Napi::Object exports) {
  NativeModel::define(env);
  exports.Set("model", Napi::Function::New<NativeModel::create>(env, "model"));
  exports.Set("profiles", Napi::Function::New<profiles>(env, "profiles"));
}

}  // namespace plugpull::addon
