#include "train_options.h"

#include <charconv>

namespace linnet::cli {
namespace {

Result<data::RandAugment> parse_rand_augment(const std::string& text) {
  data::RandAugment result;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, result.operations);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ',' ||
      std::from_chars(first.ptr + 1, end, result.magnitude).ptr != end)
    return usage("--rand-augment takes OPERATIONS,MAGNITUDE, as in 2,9; not \"{}\"", text);
  LINNET_CHECK(data::check(result));
  return result;
}

/// Crops of a picture that is as small as the input; parts of a photograph that is larger.
Result<data::Augmentation> augmentation_of(const TrainOptions& options, int resolution) {
  data::Augmentation result;
  if (options.augment == "standard") {
    result.flip = true;
    if (resolution <= 64)
      result.crop_padding = resolution / 8;
    else
      result.resized_crop = data::ResizedCrop{.smallest_area = options.smallest_crop};
  } else if (options.augment != "none") {
    return usage("--augment takes none or standard, not \"{}\"", options.augment);
  }
  if (!options.rand_augment.empty()) {
    LINNET_TRY(result.rand_augment, parse_rand_augment(options.rand_augment));
  }
  result.cutout = options.cutout;
  return result;
}

/// What teaches a trained network new classes from a few hundred photographs in minutes (docs/train.md says
/// how it was found), where the command line does not say otherwise.
void take_fine_tuning_defaults(const CLI::App& verb, TrainOptions& options) {
  const auto otherwise = [&](const char* option, auto& value, const auto& usual) {
    if (verb.get_option(option)->count() == 0) value = usual;
  };
  train::Recipe& recipe = options.recipe;
  otherwise("--epochs", recipe.epochs, 20);
  otherwise("--batch-size", recipe.batch, 32);
  otherwise("--optimizer", options.optimizer, "adamw");
  otherwise("--lr", recipe.rate, 1e-4f);
  otherwise("--weight-decay", recipe.weight_decay, 0.01f);
  otherwise("--schedule", options.schedule, "cosine");
  otherwise("--warm-up", recipe.warm_up, 1.0);
  otherwise("--label-smoothing", recipe.label_smoothing, 0.1f);
}

}  // namespace

void add_train_options(CLI::App& verb, TrainOptions& options) {
  train::Recipe& recipe = options.recipe;
  verb.add_option(
          "--model", options.model,
          "A family, such as mobilenet_v1:width=0.5,stem_stride=1; classes and, for CIFAR-10, resolution "
          "are the data's where it does not say them")
      ->option_text("M");
  verb.add_option(
          "--init", options.init,
          "Fine-tuning: start from the weights of this trained model (a file, a Hugging Face folder, a "
          "name that linnet models lists), with a new last layer for the data's classes")
      ->option_text("M");
  verb.add_option("--freeze", options.freeze,
                  "Leave the first N layers with weights as they are, or all but the last; batch norms among "
                  "them keep their statistics")
      ->option_text("N|all");
  verb.add_flag("--freeze-norms", recipe.frozen_norms,
                "All batch norms keep their statistics, as very small batches demand");
  verb.add_option("--resolution", options.resolution,
                  "With --init: the pictures' edge in pixels, a multiple of 32, in place of the model's own")
      ->option_text("N");
  verb.add_option("--filter", options.filter,
                  "With --init: how to resize, bilinear or bicubic, in place of the model's own way")
      ->option_text("F");
  verb.add_option(
          "--data", options.data,
          "cifar10:DIR; a folder with one sub-folder a class; or a folder with two such, train and test")
      ->option_text("D")
      ->required();
  verb.add_option("--out", options.out, "The run's folder: model, metrics, report, checkpoint")
      ->option_text("DIR")
      ->required();
  verb.add_flag("--resume", options.resume, "Go on from the checkpoint in DIR, where there is one");
  const auto with_default = [&](const char* name, auto& value, const char* text, const char* unit) {
    verb.add_option(name, value, fmt::format("{}; by default {}", text, value))->option_text(unit);
  };
  with_default("--epochs", recipe.epochs, "Passes over the data", "N");
  with_default("--batch-size", recipe.batch, "Images a step", "N");
  with_default("--lr", recipe.rate, "The largest learning rate", "R");
  with_default("--schedule", options.schedule,
               "Of the learning rate: step (times 0.2 every 60 epochs), cosine or one-cycle", "S");
  with_default("--warm-up", recipe.warm_up, "Epochs in which the rate grows to its largest", "N");
  with_default("--optimizer", options.optimizer, "sgd or adamw", "O");
  with_default("--momentum", recipe.momentum, "Of sgd", "M");
  verb.add_flag("--nesterov", recipe.nesterov, "Nesterov's form of momentum");
  with_default("--weight-decay", recipe.weight_decay, "Of weights, not of biases and batch norms", "D");
  with_default("--clip", recipe.clip, "The largest norm of all gradients, 0 for none", "N");
  with_default("--label-smoothing", recipe.label_smoothing, "Share of the target that all classes have", "S");
  with_default("--ema", recipe.average,
               "Decay of the weights' moving average, which becomes the result, 0 for none", "D");
  with_default("--dropout", recipe.dropout, "Share of the classifier's inputs that a step leaves out", "S");
  with_default("--norm-momentum", recipe.norm_momentum, "A batch's share in the batch norms' statistics",
               "S");
  verb.add_flag("--sync-batch-norm", recipe.sync_norms,
                "Under mpirun: batch norms take the statistics of all processes' images, not of their own");
  with_default("--initialisation", options.initialisation,
               "he (over the fan-out), or he-xavier (He for depthwise, Xavier for pointwise layers)", "I");
  with_default("--precision", options.precision,
               "float32, or bf16: layers' outputs and their gradients in half the memory, and products of "
               "bfloat16 where the CPU has them; weights stay float32",
               "P");
  with_default("--augment", options.augment,
               "none, or standard: flips, and crops (small pictures) or parts (photographs)", "A");
  with_default("--smallest-crop", options.smallest_crop,
               "The smallest part of a photograph that is shown, as a share of its area", "S");
  with_default("--cutout", options.cutout, "Edge of a square that is blanked out, in pixels", "N");
  verb.add_option("--rand-augment", options.rand_augment, "Random operations of a strength, such as 2,9")
      ->option_text("N,MAGNITUDE");
  verb.add_option("--progressive", options.progressive,
                  "Smaller pictures at first, each size until a share of the epochs, such as 20:0.4,26:0.7")
      ->option_text("N:SHARE,...");
  with_default("--mixup", recipe.mixup, "Alpha of the blend of two pictures, 0 for none", "A");
  verb.add_option("--teacher", options.teacher,
                  "Learn from the scores of this trained model too (a file, or a name that linnet models "
                  "lists), which "
                  "knows the data's classes and takes pictures of the same size")
      ->option_text("M");
  with_default("--teacher-share", options.teachers_part.share, "The teacher's part of the loss", "S");
  with_default("--temperature", options.teachers_part.temperature,
               "What the teacher's scores and the network's are divided by: the higher, the softer", "T");
  for (const char* option : {"--teacher-share", "--temperature"})
    verb.get_option(option)->needs(verb.get_option("--teacher"));
  verb.add_flag("--qat", options.qat,
                "The last tenth of the epochs trains the int8 model, from the float one");
  verb.add_option("--qat-epochs", recipe.qat_epochs, "So many of the epochs in its place")->option_text("N");
  with_default("--qat-lr", recipe.qat_rate, "The largest learning rate of --qat", "R");
  with_default("--qat-delay", recipe.qat_delay,
               "Share of --qat's steps after which batch norms keep their statistics", "S");
  with_default("--seed", recipe.seed, "Of weights, order and augmentation", "S");
  verb.add_option(
          "--hold-out", options.hold_out,
          "Pictures kept from training, of every class its share, to validate with after each epoch; by "
          "default a tenth, 0 for none")
      ->option_text("N");
  with_default("--checkpoint-every", options.checkpoint_seconds, "Seconds between two checkpoints", "S");
  verb.parse_complete_callback([&verb, &options] {
    if (!options.init.empty()) take_fine_tuning_defaults(verb, options);
  });
}

Result<train::Recipe> recipe_of(const TrainOptions& options, int resolution) {
  train::Recipe recipe = options.recipe;
  if (options.optimizer == "adamw")
    recipe.optimizer = train::OptimizerKind::kAdamW;
  else if (options.optimizer != "sgd")
    return usage("--optimizer takes sgd or adamw, not \"{}\"", options.optimizer);
  if (options.schedule == "cosine")
    recipe.schedule = train::ScheduleKind::kCosine;
  else if (options.schedule == "one-cycle")
    recipe.schedule = train::ScheduleKind::kOneCycle;
  else if (options.schedule != "step")
    return usage("--schedule takes step, cosine or one-cycle, not \"{}\"", options.schedule);
  LINNET_TRY(recipe.initialisation, train::parse_initialisation(options.initialisation));
  LINNET_TRY(recipe.precision, cpu::parse_precision(options.precision));
  LINNET_TRY(recipe.augmentation, augmentation_of(options, resolution));
  LINNET_TRY(recipe.progressive, train::parse_progressive(options.progressive));
  if (!options.teacher.empty())
    recipe.distillation = train::Distillation{options.teacher, options.teachers_part};
  if (options.qat && recipe.qat_epochs == 0) recipe.qat_epochs = (recipe.epochs + 9) / 10;
  LINNET_CHECK(train::check(recipe));
  return recipe;
}

}  // namespace linnet::cli
