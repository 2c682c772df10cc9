#include "hub/cifar10/npm_registry.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/data.h"

namespace linnet::hub {
namespace {

TEST(npm_registry, a_configuration_names_it_among_other_things) {
  EXPECT_EQ(registry_in("registry=https://a.example/npm/\n"), "https://a.example/npm");
  EXPECT_EQ(registry_in("; registry=no\n# registry=no\nfund=false\n registry = \"https://b\" \r\n"),
            "https://b");
  EXPECT_EQ(registry_in("registry=https://a\nregistry=https://b"), "https://b");
  EXPECT_EQ(registry_in("@scope:registry=https://c\nregistry\n"), std::nullopt);
  EXPECT_EQ(registry_in(""), std::nullopt);
  ::setenv("LINNET_TEST_HOST", "d.example", 1);
  EXPECT_EQ(registry_in("registry=https://${LINNET_TEST_HOST}/x"), "https://d.example/x");
  EXPECT_EQ(registry_in("registry=https://${LINNET"), "https://${LINNET");
}

TEST(npm_registry, the_environment_comes_before_the_user_and_the_user_before_the_default) {
  const linnet::testing::ScratchFolder home;
  for (const char* name : {"npm_config_registry", "NPM_CONFIG_REGISTRY", "npm_config_userconfig",
                           "NPM_CONFIG_USERCONFIG", "npm_config_globalconfig"})
    ::unsetenv(name);
  ::setenv("HOME", home.path().c_str(), 1);
  ::setenv("npm_config_globalconfig", (home.path() / "global").c_str(), 1);
  EXPECT_EQ(npm_registry(), "https://registry.npmjs.org");
  ASSERT_TRUE(write_file(home.path() / "global", "registry=https://global"));
  EXPECT_EQ(npm_registry(), "https://global");
  ASSERT_TRUE(write_file(home.path() / ".npmrc", "registry=https://user/"));
  EXPECT_EQ(npm_registry(), "https://user");
  ASSERT_TRUE(write_file(home.path() / "other", "registry=https://other"));
  ::setenv("npm_config_userconfig", (home.path() / "other").c_str(), 1);
  EXPECT_EQ(npm_registry(), "https://other");
  ::setenv("NPM_CONFIG_REGISTRY", "https://upper//", 1);
  EXPECT_EQ(npm_registry(), "https://upper");
  ::setenv("npm_config_registry", "https://lower", 1);
  EXPECT_EQ(npm_registry(), "https://lower");
}

}  // namespace
}  // namespace linnet::hub
