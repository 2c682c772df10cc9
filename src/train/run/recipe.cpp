#include "train/run/recipe.h"

#include <cmath>

#include <nlohmann/json.hpp>

namespace linnet::train {
namespace {

using Json = nlohmann::ordered_json;

Json augmentation_json(const data::Augmentation& a) {
  Json json = {{"crop_padding", a.crop_padding},
               {"border", a.border == data::Border::kReflect ? "reflect" : "black"},
               {"flip", a.flip},
               {"cutout", a.cutout}};
  if (a.resized_crop) json["smallest_crop"] = a.resized_crop->smallest_area;
  if (a.rand_augment) json["rand_augment"] = {a.rand_augment->operations, a.rand_augment->magnitude};
  return json;
}

const char* name_of(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kStep: return "step";
    case ScheduleKind::kCosine: return "cosine";
    case ScheduleKind::kOneCycle: return "one-cycle";
  }
  return "";
}

}  // namespace

Result<void> check(const Recipe& r) {
  const auto within = [](double value, double low, double high, const char* option) -> Result<void> {
    if (!(value >= low && value <= high))
      return usage("{} takes a number from {} to {}, not {}", option, low, high, value);
    return {};
  };
  if (r.precision != cpu::Precision::kFloat32 && r.precision != cpu::Precision::kBf16)
    return usage("--precision takes float32 or bf16 in training, not {}", to_string(r.precision));
  LINNET_CHECK(within(r.epochs, 1, 1e6, "--epochs"));
  LINNET_CHECK(within(r.batch, 1, 65536, "--batch-size"));
  LINNET_CHECK(within(double{r.rate}, 1e-12, 1e3, "--lr"));
  LINNET_CHECK(within(double{r.momentum}, 0, 0.9999, "--momentum"));
  LINNET_CHECK(within(double{r.weight_decay}, 0, 1, "--weight-decay"));
  LINNET_CHECK(within(r.warm_up, 0, r.epochs, "--warm-up"));
  LINNET_CHECK(within(double{r.label_smoothing}, 0, 0.99, "--label-smoothing"));
  LINNET_CHECK(within(r.clip, 0, 1e9, "--clip"));
  LINNET_CHECK(within(r.average, 0, 0.999999, "--ema"));
  LINNET_CHECK(within(r.mixup, 0, 100, "--mixup"));
  LINNET_CHECK(within(double{r.dropout}, 0, 0.99, "--dropout"));
  LINNET_CHECK(within(double{r.norm_momentum}, 1e-6, 1, "--norm-momentum"));
  LINNET_CHECK(check(r.progressive));
  if (r.distillation) {
    LINNET_CHECK(within(double{r.distillation->part.share}, 1e-6, 1, "--teacher-share"));
    LINNET_CHECK(within(double{r.distillation->part.temperature}, 0.1, 100, "--temperature"));
  }
  LINNET_CHECK(within(r.qat_epochs, 0, r.epochs - 1, "--qat-epochs"));
  LINNET_CHECK(within(double{r.qat_rate}, 1e-12, 1e3, "--qat-lr"));
  LINNET_CHECK(within(r.qat_delay, 0, 1, "--qat-delay"));
  return {};
}

std::string to_json(const Recipe& r) {
  Json json = {{"epochs", r.epochs},
               {"batch_size", r.batch},
               {"optimizer", r.optimizer == OptimizerKind::kSgd ? "sgd" : "adamw"},
               {"lr", r.rate},
               {"momentum", r.momentum},
               {"nesterov", r.nesterov},
               {"weight_decay", r.weight_decay},
               {"schedule", name_of(r.schedule)},
               {"warm_up", r.warm_up},
               {"label_smoothing", r.label_smoothing},
               {"clip", r.clip},
               {"ema", r.average},
               {"mixup", r.mixup},
               {"dropout", r.dropout},
               {"norm_momentum", r.norm_momentum},
               {"initialisation", to_string(r.initialisation)},
               {"augmentation", augmentation_json(r.augmentation)},
               {"seed", r.seed}};
  // Checkpoints of float32 from before there was another go on.
  if (r.precision != cpu::Precision::kFloat32) json["precision"] = cpu::to_string(r.precision);
  if (!r.progressive.empty()) json["progressive"] = to_string(r.progressive);
  if (r.distillation) {
    json["teacher"] = r.distillation->teacher;
    json["teacher_share"] = r.distillation->part.share;
    json["temperature"] = r.distillation->part.temperature;
  }
  if (r.frozen_layers > 0) json["frozen_layers"] = r.frozen_layers;
  if (r.frozen_norms) json["frozen_norms"] = true;
  if (r.sync_norms) json["sync_batch_norm"] = true;
  if (r.qat_epochs > 0) {
    json["qat_epochs"] = r.qat_epochs;
    json["qat_lr"] = r.qat_rate;
    json["qat_delay"] = r.qat_delay;
  }
  return json.dump();
}

std::string first_difference(const std::string& recipe, const std::string& was) {
  const Json now = Json::parse(recipe, nullptr, false);
  const Json before = Json::parse(was, nullptr, false);
  if (!now.is_object() || !before.is_object()) return "it cannot be read";
  for (const auto& [name, value] : now.items()) {
    const auto old = before.find(name);
    if (old == before.end()) return fmt::format("{} is {}, was not known", name, value.dump());
    if (*old != value) return fmt::format("{} is {}, was {}", name, value.dump(), old->dump());
  }
  for (const auto& [name, value] : before.items())
    if (!now.contains(name)) return fmt::format("{} is not said, was {}", name, value.dump());
  return "";
}

}  // namespace linnet::train
