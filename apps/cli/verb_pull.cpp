// linnet pull: a known model into the cache.
#include <nlohmann/json.hpp>

#include "hub/pull/pull.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string name;
  std::string from;
  bool json = false;
};

void print_json(const hub::CachedModel& model) {
  Json files = Json::array();
  for (const hub::PulledFile& file : model.files)
    files.push_back({{"name", file.name},
                     {"url", file.url},
                     {"bytes", file.bytes},
                     {"sha256", file.sha256},
                     {"verified_by", file.verified_by}});
  const hub::PulledFile& weights = model.files.front();
  print(Json{{"name", model.name},
             {"path", model.model_path().string()},
             {"bytes", weights.bytes},
             {"sha256", weights.sha256},
             {"files", files}}
            .dump() +
        "\n");
}

Result<int> run(const Arguments& arguments) {
  hub::PullOptions options;
  options.from = arguments.from;
  options.notice = [](const std::string& text) { note(text); };
  std::unique_ptr<ProgressBar> bar;
  std::string of;
  options.progress = [&](const std::string& file, std::uint64_t done, std::uint64_t total) {
    if (!bar || of != file) {
      bar.reset();
      bar = std::make_unique<ProgressBar>(file, ProgressBar::Unit::kBytes);
      of = file;
    }
    bar->update(done, total);
  };
  const Result<hub::Pulled> pulled = hub::pull(arguments.name, options);
  bar.reset();
  if (!pulled) return std::unexpected(pulled.error());

  const hub::CachedModel& model = pulled->model;
  if (pulled->was_cached) note(model.name + " is in the cache already; its bytes are what was pulled.");
  if (arguments.json) {
    print_json(model);
    return 0;
  }
  Table table({{"file"}, {"size", Align::kRight}, {"SHA-256"}, {"checked against"}});
  for (const hub::PulledFile& file : model.files)
    table.row({file.name, size_text(file.bytes), file.sha256,
               file.verified_by.empty() ? "its length alone" : file.verified_by});
  print(table.text());
  print(model.model_path().string() + "\n");
  return 0;
}

}  // namespace

void add_pull(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("pull", "Fetch a known model into the cache, verified");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("NAME", arguments->name, "A name that linnet models lists")->required();
  verb->add_option("--from", arguments->from,
                   "Get it from this address, file or folder instead of where it is published")
      ->option_text("URL|FILE");
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer(
      "A broken download carries on where it stopped. The cache is $LINNET_CACHE, else\n"
      "$XDG_CACHE_HOME/linnet, else ~/.cache/linnet.\n\n"
      "Example:\n  linnet pull mobilenet_v2_1.0_224");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
