// How --help looks: usage, what the verb takes, its options, an example.
#pragma once

#include <CLI/CLI.hpp>

namespace linnet::cli {

/// Lines of at most 100 characters; options in one column, what they mean in the other. An option's text
/// (option_text) is what stands after its name.
class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace linnet::cli
