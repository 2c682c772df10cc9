// Loads PyTorch models. A library of its own beside <linnet/linnet.h>: link linnet::pth.
#pragma once

#include <linnet/linnet.h>

namespace linnet {

/// A state dict that torch.save() wrote, read without running any of its code, as a Model. Errors: as
/// Model::load; operators that no MobileNet has, by name.
Result<Model> load_pth(const std::string& path, const LoadOptions& options = {});

}  // namespace linnet
