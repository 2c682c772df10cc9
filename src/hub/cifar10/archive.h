// Files out of a .tar or .tar.gz, in memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace linnet::hub {

/// Calls `on_file` for each regular file whose name, without folders, `is_wanted`, in the archive's order;
/// its bytes last until it returns. Nothing is written anywhere. Errors: not there, no such archive, damaged,
/// cut short, a wanted file of more than `largest` bytes; those of `on_file`.
Result<void> read_archive(
    const std::filesystem::path& archive, const std::function<bool(std::string_view name)>& is_wanted,
    std::size_t largest,
    const std::function<Result<void>(std::string_view name, std::span<const std::byte> bytes)>& on_file);

}  // namespace linnet::hub
