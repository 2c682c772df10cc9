#include "formatter.h"

#include <sstream>

namespace linnet::cli {
namespace {

constexpr std::size_t kLeft = 26;    // characters of the left column, indent included
constexpr std::size_t kWidth = 100;  // characters of a line

/// `left` and, beside it, `right` broken into lines.
std::string entry(const std::string& left, const std::string& right) {
  std::string text = "  " + left;
  if (text.size() + 2 > kLeft)
    text += "\n" + std::string(kLeft, ' ');
  else
    text.resize(kLeft, ' ');
  std::size_t column = kLeft;
  std::istringstream words(right);
  for (std::string word; words >> word;) {
    if (column > kLeft && column + 1 + word.size() > kWidth) {
      text += "\n" + std::string(kLeft, ' ');
      column = kLeft;
    }
    if (column > kLeft) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text + "\n";
}

std::string option_name(const CLI::Option& option) {
  std::string name = option.get_positional() ? option.get_name(true) : option.get_name(false, true);
  for (std::size_t at = 0; (at = name.find(',', at)) != std::string::npos; at += 2) name.insert(at + 1, " ");
  return option.get_option_text().empty() ? name : name + " " + option.get_option_text();
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const {
  const bool is_verb = app->get_parent() != nullptr;
  if (is_verb) name = app->get_parent()->get_name() + " " + app->get_name();
  const auto positionals = app->get_options([](const CLI::Option* o) { return o->get_positional(); });
  const auto options = app->get_options([](const CLI::Option* o) { return o->nonpositional(); });
  const auto verbs = app->get_subcommands([](const CLI::App*) { return true; });

  std::string text = app->get_description() + "\n\nUsage: " + name;
  if (!verbs.empty()) text += " VERB …";
  for (const CLI::Option* option : options)
    if (option->get_required()) text += " " + option_name(*option);
  if (is_verb) text += " [OPTIONS]";
  for (const CLI::Option* option : positionals) {
    const std::string shown = option->get_name(true) + (option->get_expected_max() > 1 ? "…" : "");
    text += option->get_required() ? " " + shown : " [" + shown + "]";
  }
  text += "\n";
  if (!positionals.empty()) text += "\n";
  for (const CLI::Option* option : positionals)
    text += entry(option_name(*option), option->get_description());
  if (!verbs.empty()) text += "\nVerbs:\n";
  for (const CLI::App* verb : verbs) text += entry(verb->get_name(), verb->get_description());
  text += "\nOptions:\n";
  for (const CLI::Option* option : options) text += entry(option_name(*option), option->get_description());
  if (!app->get_footer().empty()) text += "\n" + app->get_footer() + "\n";
  return text;
}

}  // namespace linnet::cli
