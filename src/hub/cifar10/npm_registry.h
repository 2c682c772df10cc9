// Where this machine's npm gets its packages from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace linnet::hub {

/// The registry's address without a slash at its end: $npm_config_registry (in either case), else that of the
/// user's configuration ($npm_config_userconfig, else ~/.npmrc), of the machine's, else npm's default.
std::string npm_registry();

/// `registry = ADDRESS` of an .npmrc, `${NAME}` in it replaced from the environment; the last one counts.
std::optional<std::string> registry_in(std::string_view npmrc);

}  // namespace linnet::hub
