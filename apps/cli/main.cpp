// linnet: the command line. Each verb is a file; this one finds it, runs it and turns how it ended into an
// exit code.
//
// Results go to stdout, everything else to stderr. 0: done; 1: failed, and said why; 2: wrong usage.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "command_line.h"
#include "formatter.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

/// The verb that was typed, as far as it was understood: "linnet" or "linnet classify".
std::string command(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return verbs.empty() ? "linnet" : "linnet " + verbs.front()->get_name();
}

int report(const Error& error) {
  note(error.message);
  return error.kind == Error::Kind::kUsage ? kWrongUsage : kFailed;
}

/// A full disk or a closed pipe behind stdout shows only when it is flushed.
int flushed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  note(std::string("cannot write the results: ") + std::strerror(errno));
  return kFailed;
}

int run(int argc, char** argv) {
  set_command_line(argc, argv);
  CLI::App app("Linnet runs MobileNets: it labels photographs, measures, converts and compares.", "linnet");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "Say this");
  app.set_version_flag("--version", "linnet " LINNET_VERSION, "Say which version this is");
  app.require_subcommand(1);
  app.footer("linnet VERB --help explains each verb with an example.");
  Action action;
  add_verbs(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return flushed(app.exit(error));  // --help, --version
    if (argc == 1) {
      note(app.help());
      return kWrongUsage;
    }
    if (app.get_subcommands().empty() && argv[1][0] != '-') {
      note("linnet: there is no verb \"" + std::string(argv[1]) +
           "\"\nRun linnet --help for those that there are.");
      return kWrongUsage;
    }
    note(command(app) + ": " + error.what() + "\nRun " + command(app) + " --help for what it takes.");
    return kWrongUsage;
  }
  const Result<int> code = action();
  std::fflush(stdout);
  return code ? flushed(*code) : report(code.error());
}

}  // namespace
}  // namespace linnet::cli

int main(int argc, char** argv) {
  try {
    return linnet::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("there is not enough memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "linnet: this is a bug, please report it: %s\n", error.what());
  }
  return linnet::cli::kFailed;
}
