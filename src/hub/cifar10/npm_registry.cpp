#include "hub/cifar10/npm_registry.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/file.h"

namespace linnet::hub {
namespace {

constexpr std::string_view kDefault = "https://registry.npmjs.org";

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? value : "";
}

/// A setting in npm's lower case or as CI systems spell it.
std::string setting(const std::string& lower, const std::string& upper) {
  std::string value = environment(lower);
  return value.empty() ? environment(upper) : value;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

std::string without_slash(std::string address) {
  while (!address.empty() && address.back() == '/') address.pop_back();
  return address;
}

std::string expanded(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto begin = text.find("${"), end = text.find('}', begin);
    if (begin == text.npos || end == text.npos) break;
    result += text.substr(0, begin);
    result += environment(std::string(text.substr(begin + 2, end - begin - 2)));
    text.remove_prefix(end + 1);
  }
  return result.append(text);
}

}  // namespace

std::optional<std::string> registry_in(std::string_view npmrc) {
  std::optional<std::string> found;
  while (!npmrc.empty()) {
    const std::string_view line = npmrc.substr(0, npmrc.find('\n'));
    npmrc.remove_prefix(std::min(line.size() + 1, npmrc.size()));
    const auto equals = line.find('=');
    if (equals == line.npos || trimmed(line.substr(0, equals)) != "registry") continue;
    std::string_view value = trimmed(line.substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    if (std::string address = without_slash(expanded(value)); !address.empty()) found = std::move(address);
  }
  return found;
}

std::string npm_registry() {
  if (std::string address = without_slash(setting("npm_config_registry", "NPM_CONFIG_REGISTRY"));
      !address.empty())
    return address;
  std::vector<std::filesystem::path> files;
  if (const std::string user = setting("npm_config_userconfig", "NPM_CONFIG_USERCONFIG"); !user.empty())
    files.emplace_back(user);
  else if (const std::string home = environment("HOME"); !home.empty())
    files.emplace_back(std::filesystem::path(home) / ".npmrc");
  if (const std::string global = setting("npm_config_globalconfig", "NPM_CONFIG_GLOBALCONFIG");
      !global.empty())
    files.emplace_back(global);
  else
    files.insert(files.end(), {"/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc"});
  for (const auto& file : files)
    if (const auto text = read_text(file))
      if (auto address = registry_in(*text)) return *std::move(address);
  return std::string(kDefault);
}

}  // namespace linnet::hub
