#include "train/run_training.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <tuple>

#include "autograd/node.h"
#include "base/text.h"
#include "data/in_memory.h"
#include "data/loader.h"
#include "data/normalize.h"
#include "eval/evaluate_module.h"
#include "eval/initial_weights.h"
#include "eval/load_data.h"
#include "eval/onnx_model.h"
#include "eval/run_files.h"
#include "file/printable.h"
#include "file/shell.h"
#include "io/checkpoint.h"
#include "io/weights.h"
#include "nn/leaf.h"
#include "optim/weight_ema.h"
#include "qat/schedule.h"
#include "tensor/buffer_pool.h"
#include "train/bn_reestimate.h"
#include "train/check_request.h"
#include "train/describe_data.h"
#include "train/divergence.h"
#include "train/finish.h"
#include "train/first_files.h"
#include "train/make_optimizer.h"
#include "train/metrics_log.h"
#include "train/phase_schedule.h"
#include "train/rehearse.h"
#include "train/run_folder.h"
#include "train/run_state.h"
#include "train/run_work.h"
#include "train/signals.h"
#include "train/trainer.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;
using Method = QuantizeConfig::Method;

// One run from its first or next step to its table. Members are in the order in which they are
// made.
class Run {
 public:
  // Everything that can be wrong with the request shows before the run folder appears.
  explicit Run(const TrainRequest& request)
      : config_(request.config),
        threads_(request.threads),
        stop_after_(request.stop_after),
        data_(load_or_fetch(config_.data)),
        model_(make_initial_model(request)),
        lock_(request.resume ? RunLock(request.folder.string(), file_system_of(request))
                             : create_run_folder("runs", config_.run.name, request.folder,
                                                 first_files(config_), file_system_of(request))) {
    std::tie(train_, validation_) =
        random_split(data_.train, config_.data.validation_size, config_.run.seed);
    progress_.line(message("octet: run folder ", lock_.folder(), ", ", threads_, " threads, ",
                           name_of(process_isa())));
    for (const std::string& line : describe_data(*train_, *validation_, *data_.test, data_.skipped,
                                                 config_.data.batch_size)) {
      progress_.line(line);
    }
    const std::string note = emulation_note(config_.train.precision);
    if (!note.empty()) progress_.line(note);
    if (request.resume) restore();
    metrics_ =
        std::make_unique<MetricsLog>(lock_, static_cast<std::uint64_t>(state_.metrics_bytes));
    if (!metrics_->warning().empty()) progress_.line("warning: " + metrics_->warning());
    write_meta(lock_, config_, data_, threads_);
  }

  int execute() {
    if (state_.phase == "float" && train_float() == FitResult::kStopped) return stopped();
    if (state_.phase == "quantize" && quantize() == FitResult::kStopped) return stopped();
    state_.wall_seconds += seconds_since_start();
    start_ = Clock::now();
    try {
      finish_run(
          {.lock = lock_, .config = config_, .data = data_, .state = state_, .threads = threads_},
          *model_);
    } catch (const Interrupted&) {
      progress_.line(
          message("stopped before the evaluation ended; all training is saved; evaluate ",
                  "with: ./octet train --resume ", shell_quoted(lock_.folder())));
      return 128 + stop_signal();
    }
    return 0;
  }

 private:
  std::unique_ptr<Module> make_initial_model(const TrainRequest& request) const {
    Config config = config_;
    if (request.resume) use_own_onnx_file(config, request.folder);
    check_onnx_input(config, data_);
    check_request(config, *data_.train);
    rehearse_end(*build_model(config, *data_.train), config, data_);
    std::unique_ptr<Module> model = build_model(config, *data_.train);
    initialize(*model, config.run.seed);
    if (!config.model.init_from.empty()) load_initial_weights(*model, config, *data_.train);
    return model;
  }

  static FileSystem& file_system_of(const TrainRequest& request) {
    return request.file_system != nullptr ? *request.file_system : posix_file_system();
  }

  std::vector<NamedTensor> weights() const { return state_tensors(*model_); }
  double seconds_since_start() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

  // What --stop-after promises is a result, what a signal interrupts is not.
  int stopped() {
    progress_.line(message("stopped and saved at step ", state_.total_steps,
                           "; continue with: ./octet train --resume ",
                           shell_quoted(lock_.folder())));
    if (stop_signal() != 0) return 128 + stop_signal();
    std::cout << "weights_sha256 " << weights_sha256(weights()) << "\n";
    return 0;
  }

  // --- Checkpoints
  // -------------------------------------------------------------------------------------------------

  void save() {
    for (const NamedTensor& w : weights()) {
      OCTET_CHECK(all_finite(w.tensor), "the weights of ", w.name,
                  " are not finite; the last checkpoint stays");
    }
    metrics_->sync();
    state_.metrics_bytes = static_cast<std::int64_t>(metrics_->size_bytes());
    RunState state = state_;
    state.wall_seconds += seconds_since_start();
    Checkpoint checkpoint;
    checkpoint.groups["model"] = weights();
    if (optimizer_) checkpoint.groups["optimizer"] = optimizer_->state();
    if (ema_) checkpoint.groups["ema"] = ema_->state();
    checkpoint.state = to_text(state);
    checkpoint.config = to_yaml(config_);
    checkpoint.dataset_sha256 = data_.train->sha256();
    save_checkpoint(lock_, checkpoint, config_.checkpoint.keep);
  }

  // The position and all tensors of the last checkpoint; a run without one starts at step 0.
  void restore() {
    const auto loaded = resume_checkpoint(lock_);
    if (!loaded) {
      refuse_finished(lock_.files(), "its checkpoint is missing");
      progress_.line("no checkpoint yet: starting at step 0");
      state_.resumed_at_steps.push_back(0);
      return;
    }
    if (!loaded->warning.empty()) progress_.line("warning: " + loaded->warning);
    const Checkpoint& checkpoint = loaded->checkpoint;
    check_resume(lock_.folder(), checkpoint, config_, *data_.train);
    const std::string source = message("\"", printable(loaded->path), "\"");
    state_ = parse_run_state(checkpoint.state, source);
    check_run_state(state_, plan(), source);
    check_groups(checkpoint, state_.phase, source);
    if (state_.phase != "done") {
      refuse_finished(lock_.files(), "its last checkpoint is missing or damaged");
    }
    if (!has_run_config(lock_.files())) lock_.write(kConfigFile, checkpoint.config);
    if (stop_after_ > 0 && state_.total_steps >= stop_after_) {
      throw UsageError(message("--stop-after ", stop_after_, ": the run in ", lock_.folder(),
                               " has made ", state_.total_steps, " steps already"));
    }
    state_.resumed_at_steps.push_back(state_.total_steps);
    if (state_.phase != "float" && config_.quantize.method != Method::kNone)
      prepare_model(*model_, config_, *train_);
    copy_weights(checkpoint.groups.at("model"), weights(), loaded->path);
    resumed_ = checkpoint.groups;
    resumed_.erase("model");
    resumed_from_ = loaded->path;
    progress_.line(message("resuming in phase ", state_.phase, ", epoch ", state_.epoch + 1,
                           ", step ", state_.total_steps));
  }

  // Gives a freshly made optimizer or average the state of the checkpoint, once. Only at the first
  // step of a phase there may be none.
  void restore_group(const std::string& name, const std::vector<NamedTensor>& into) {
    const auto group = resumed_.find(name);
    if (group == resumed_.end()) {
      OCTET_CHECK(resumed_from_.empty() || state_.step == 0 || into.empty(), "\"",
                  printable(resumed_from_), "\" has no group \"", name, "\", and is at step ",
                  state_.step, " of phase ", state_.phase);
      return;
    }
    copy_weights(group->second, into, message(resumed_from_, ", group ", name));
    resumed_.erase(group);
  }

  RunPlan plan() const {
    const DataLoader loader = make_loader({});
    const std::int64_t batches = loader.batches(), size = train_->size();
    return {.float_epochs = config_.train.epochs,
            .qat_epochs = config_.quantize.epochs,
            .qat = config_.quantize.method == Method::kQat,
            .batches = batches,
            .batch_size = config_.data.batch_size,
            .epoch_images = std::min(size, batches * config_.data.batch_size)};
  }

  // --- Phases
  // ------------------------------------------------------------------------------------------------------

  DataLoader make_loader(const AugmentOptions& augment,
                         const ProgressiveOptions& progressive = {}) const {
    return DataLoader(train_, {.batch_size = config_.data.batch_size,
                               .shuffle = true,
                               .drop_last = train_->size() >= config_.data.batch_size,
                               .seed = config_.run.seed,
                               .augment = augment,
                               .progressive = progressive,
                               .normalization = data_.normalization});
  }

  RunWork run_work() const {
    const DataLoader loader = make_loader(config_.data.augment, config_.data.progressive);
    RunSizes sizes{.batches = loader.batches(),
                   .images = loader.options().drop_last ? loader.batches() * config_.data.batch_size
                                                        : train_->size(),
                   .validation_images = validation_->size(),
                   .test_images = data_.test->size(),
                   .areas = {}};
    const auto full = static_cast<double>(train_->image_shape().numel());
    for (std::int64_t epoch = 0; epoch < config_.train.epochs; ++epoch) {
      sizes.areas.push_back(static_cast<double>(loader.image_shape(epoch).numel()) / full);
    }
    return RunWork(config_, std::move(sizes), stop_after_);
  }

  FitResult fit(Phase phase, TrainConfig::Optimizer optimizer, TrainConfig::Schedule kind,
                double lr, double warmup_epochs, const DataLoader& loader) {
    if (phase.epochs == 0) return FitResult::kFinished;
    const TrainConfig& c = config_.train;
    optimizer_ = make_optimizer(optimizer, c, model_->named_parameters());
    restore_group("optimizer", optimizer_->state());
    phase.schedule = make_schedule(kind, lr, warmup_epochs, phase.epochs, loader.batches());
    phase.label_smoothing = static_cast<float>(c.label_smoothing);
    phase.clip_grad_norm = static_cast<float>(c.clip_grad_norm);
    phase.stop_after = stop_after_;
    phase.work_left = [work = run_work()](const RunState& state) { return work.left(state); };
    phase.after_epoch = [&, name = phase.name, epochs = phase.epochs](std::int64_t epoch) {
      log_epoch(name, epoch, epochs, phase.schedule.lr_at(state_.step - 1));
    };
    Trainer trainer(*model_, *optimizer_, ema_.get(), loader, state_, progress_,
                    config_.checkpoint.every_seconds, [this] { save(); });
    const FitResult result = trainer.fit(phase);
    optimizer_.reset();
    return result;
  }

  FitResult train_float() {
    const DataLoader loader = make_loader(config_.data.augment, config_.data.progressive);
    if (config_.train.ema_decay > 0.0) {
      ema_ = std::make_unique<WeightEma>(weights(), static_cast<float>(config_.train.ema_decay));
      restore_group("ema", ema_->state());
    }
    Phase phase{
        .name = "float", .epochs = config_.train.epochs, .precision = config_.train.precision};
    phase.before_epoch = [&](std::int64_t epoch) {
      // Blocks of the smaller images' maps would fit nothing any more.
      if (epoch > 0 && loader.image_shape(epoch) != loader.image_shape(epoch - 1)) trim_pool();
    };
    const FitResult result = fit(phase, config_.train.optimizer, config_.train.schedule,
                                 config_.train.lr, config_.train.warmup_epochs, loader);
    if (result == FitResult::kStopped) return result;
    if (ema_) ema_->swap_in();
    ema_.reset();
    if (config_.train.epochs > 0 && config_.train.bn_reestimate_batches > 0) reestimate_bn();
    if (config_.train.round_to_fp16) {
      round_to_fp16(weights());
      lock_.write(kFp16File,
                  serialize_weights(weights(), {{"model", config_.model.name}}, DType::kF16));
    }
    lock_.write(kFp32File, serialize_weights(weights(), {{"model", config_.model.name}}));
    begin_quantization();
    return result;
  }

  // On images as they are evaluated, without augmentation.
  void reestimate_bn() {
    progress_.note("re-estimating batch norm's statistics");
    const DataLoader loader = make_loader({});
    const std::int64_t batches =
        std::min<std::int64_t>(config_.train.bn_reestimate_batches, loader.batches());
    reestimate_bn_stats(*model_, loader, batches);
    log_between_epochs("bn_reestimate", "batch norm re-estimated", batches);
  }

  // What happened over some batches outside of training, and what it made of the model.
  void log_between_epochs(const char* phase, const char* what, std::int64_t batches) {
    std::string text = message(what, " over ", batches, " batches");
    if (validation_->size() > 0) {
      const double top1 = validate();
      metrics_->write({{"phase", phase}, {"batches", batches}, {"validation_top1", top1}});
      text += format("  validation %.2f", top1);
    }
    progress_.line(text);
  }

  // Between the phases: from here on the model is prepared, and so are its checkpoints.
  void begin_quantization() {
    start_phase(config_.quantize.method == Method::kNone ? "done" : "quantize");
    if (config_.quantize.method != Method::kNone) {
      prepare_model(*model_, config_, *train_);
      const std::int64_t batches = calibrate();
      restore_file_quantization();
      log_between_epochs("calibrate", "observers calibrated", batches);
    }
    if (config_.quantize.method == Method::kPtq) start_phase("done");
    save();
  }

  void start_phase(const char* phase) {
    state_.phase = phase;
    state_.epoch = state_.batch = state_.step = 0;
    state_.loss_sum = 0.0;
    state_.correct = state_.images = 0;
  }

  // The observers see the first batches of an epoch of their own, without augmentation. Returns how
  // many.
  std::int64_t calibrate() {
    progress_.note("calibrating: observers watch the ranges of values");
    const NoGradGuard no_grad;
    const qat::CalibrationGuard calibration(*model_);
    const DataLoader loader(train_, {.batch_size = config_.data.batch_size,
                                     .shuffle = true,
                                     .seed = config_.run.seed,
                                     .normalization = data_.normalization});
    const std::int64_t batches =
        std::min<std::int64_t>(config_.quantize.calibration_batches, loader.batches());
    for (std::int64_t b = 0; b < batches; ++b) (*model_)(loader.batch(0, b).images);
    return batches;
  }

  void restore_file_quantization() {
    Config config = config_;
    use_own_onnx_file(config, lock_.folder());
    const int layers = restore_onnx_quantization(*model_, config, *train_);
    if (layers > 0) {
      progress_.line(message("scales and zero points of ", layers, " layers are those of ",
                             config_.model.init_from));
    }
  }

  FitResult quantize() {
    const DataLoader loader = make_loader(config_.data.augment);
    const qat::Schedule schedule{config_.quantize.freeze_observer_epoch,
                                 config_.quantize.freeze_bn_epoch};
    Phase phase{.name = "qat", .epochs = config_.quantize.epochs};
    phase.before_epoch = [&](std::int64_t epoch) {
      qat::apply_schedule(*model_, static_cast<int>(epoch), schedule);
    };
    const FitResult result = fit(phase, TrainConfig::Optimizer::kSgd, config_.quantize.schedule,
                                 config_.quantize.lr, config_.quantize.warmup_epochs, loader);
    if (result == FitResult::kStopped) return result;
    start_phase("done");
    save();
    return result;
  }

  // --- Logs
  // --------------------------------------------------------------------------------------------------------

  // Top-1 on the validation set, in percent: of the averaged weights, or of the twin.
  double validate() {
    const EvaluateOptions options{.batch = config_.data.batch_size,
                                  .threads = threads_,
                                  .latency_images = 0,
                                  .warm_up = false};
    if (state_.phase == "quantize") {
      return evaluate_fake_quant(*model_, validation_, data_.normalization, options).top1();
    }
    if (ema_) ema_->swap_in();
    const double top1 = evaluate_float(*model_, validation_, data_.normalization, options).top1();
    if (ema_) ema_->swap_out();
    return top1;
  }

  void log_epoch(const std::string& phase, std::int64_t epoch, std::int64_t epochs, double lr) {
    nlohmann::ordered_json record = {{"phase", phase},        {"epoch", epoch + 1},
                                     {"step", state_.step},   {"loss", state_.mean_loss()},
                                     {"top1", state_.top1()}, {"lr", lr}};
    std::string text = message(phase, " ", epoch + 1, "/", epochs);
    text += format("  loss %.4f  top-1 %.2f", state_.mean_loss(), state_.top1());
    if (validation_->size() > 0) {
      const double top1 = validate();
      record["validation_top1"] = top1;
      text += format("  validation %.2f", top1);
    }
    const double rate = state_.train_seconds > 0.0
                            ? static_cast<double>(state_.train_images) / state_.train_seconds
                            : 0.0;
    record["images_per_second"] = rate;
    progress_.line(text + format("  lr %.1e  %.0f img/s", lr, rate));
    metrics_->write(record);
  }

  const Config config_;
  const int threads_;
  const std::int64_t stop_after_;
  DatasetSplits data_;
  std::unique_ptr<Module> model_;
  RunLock lock_;
  std::shared_ptr<const Dataset> train_, validation_;  // data_.train, split
  std::unique_ptr<Optimizer> optimizer_;               // of the running phase
  std::unique_ptr<WeightEma> ema_;                     // of the float phase
  RunState state_;
  std::map<std::string, std::vector<NamedTensor>> resumed_;  // groups that wait for their owner
  std::string resumed_from_;                                 // the path of their checkpoint
  std::unique_ptr<MetricsLog> metrics_;
  Progress progress_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

int run_training(const TrainRequest& request) { return Run(request).execute(); }

}  // namespace octet
