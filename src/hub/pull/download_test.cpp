#include "hub/pull/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "hub/pull/digest.h"
#include "hub/pull/test_server.h"
#include "support/data.h"

namespace linnet::hub {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Hashes computed with sha256sum and git hash-object.
constexpr const char* kHelloSha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
constexpr const char* kHelloGit = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";

std::string body_of(std::size_t bytes) {
  std::string body(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) body[i] = static_cast<char>(i * 2654435761u >> 24);
  return body;
}

class download_test : public ::testing::Test {
 protected:
  DownloadRequest request(const std::string& path) {
    DownloadRequest request;
    request.url = server.url(path);
    request.path = folder.path() / "file";
    request.pause = std::chrono::milliseconds(1);
    request.how_by_hand = "BY HAND.";
    return request;
  }
  std::string content() { return read_text(folder.path() / "file").value_or("(none)"); }
  std::filesystem::path part() const { return folder.path() / "file.part"; }
  /// Nothing but the file itself is left behind.
  bool clean() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.path().filename() != "file") return false;
    return true;
  }

  ScratchFolder folder;
  TestServer server;
};

TEST_F(download_test, digests_are_those_that_sha256sum_and_git_compute) {
  ASSERT_TRUE(write_file(folder.path() / "file", "hello"));
  const auto digests = digests_of_file(folder.path() / "file");
  ASSERT_TRUE(digests);
  EXPECT_EQ(digests->sha256, kHelloSha256);
  EXPECT_EQ(digests->git_blob, kHelloGit);
}

TEST_F(download_test, a_whole_file_arrives_with_its_hash_and_progress) {
  const std::string body = body_of(300'000);
  server.serve("/file", body, "\"v1\"");
  server.start();
  DownloadRequest asked = request("/file");
  std::uint64_t last = 0;
  asked.progress = [&](const std::string& name, std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(name, "file");
    EXPECT_GT(done, last);
    EXPECT_EQ(total, body.size());
    last = done;
  };
  const auto result = download(asked);
  ASSERT_TRUE(result) << result.error().error.message;
  EXPECT_EQ(result->bytes, body.size());
  EXPECT_EQ(last, body.size());
  EXPECT_EQ(result->sha256, digests_of_file(folder.path() / "file")->sha256);
  EXPECT_EQ(result->verified_by, "");
  EXPECT_EQ(content(), body);
  EXPECT_TRUE(clean());
}

TEST_F(download_test, an_empty_file_is_a_file) {
  server.serve("/file", "", "\"v1\"");
  server.start();
  const auto result = download(request("/file"));
  ASSERT_TRUE(result) << result.error().error.message;
  EXPECT_EQ(result->bytes, 0u);
  EXPECT_EQ(content(), "");
  EXPECT_TRUE(clean());
}

TEST_F(download_test, a_cut_connection_is_carried_on_with_from_where_it_broke) {
  const std::string body = body_of(200'000);
  server.serve_cut("/file", body, "\"v1\"", 70'000, 2);
  server.start();
  const auto result = download(request("/file"));
  ASSERT_TRUE(result) << result.error().error.message;
  EXPECT_EQ(content(), body);
  EXPECT_THAT(server.ranges(), ElementsAre("", "bytes=70000-", "bytes=140000-"));
  EXPECT_TRUE(clean());
}

TEST_F(download_test, what_an_interrupted_download_left_is_carried_on_with_by_the_next) {
  const std::string body = body_of(50'000);
  server.serve("/file", body, "\"v1\"");
  server.start();
  ASSERT_TRUE(write_file(part(), std::string_view(body).substr(0, 20'000)));
  ASSERT_TRUE(
      write_file(part().string() + ".json", R"({"url":")" + server.url("/file") + R"(","etag":"\"v1\""})"));
  ASSERT_TRUE(download(request("/file")));
  EXPECT_THAT(server.ranges(), ElementsAre("bytes=20000-"));
  EXPECT_EQ(content(), body);
}

TEST_F(download_test, a_part_of_another_version_address_or_unknown_origin_is_not_carried_on_with) {
  const std::string body = body_of(50'000);
  // Answers If-Range as RFC 9110 asks: a range only of the same version.
  server.handlers().Get("/file", [&](const httplib::Request& asked, httplib::Response& response) {
    server.note(asked);
    response.set_header("ETag", "\"v2\"");
    if (asked.has_header("If-Range") && asked.get_header_value("If-Range") != "\"v2\"")
      const_cast<httplib::Request&>(asked).ranges.clear();
    response.set_content(body, "application/octet-stream");
  });
  server.start();
  const std::string here = server.url("/file");
  for (const std::string& record : std::vector<std::string>(
           {R"({"url":")" + here + R"(","etag":"\"v1\""})", R"({"url":"http://elsewhere","etag":"\"v2\""})",
            R"({"url":")" + here + R"(","etag":"W/\"v2\""})", R"({"url":")" + here + R"(","etag":7})",
            std::string("{")})) {
    ASSERT_TRUE(write_file(part(), "bytes of something else"));
    ASSERT_TRUE(write_file(part().string() + ".json", record));
    ASSERT_TRUE(download(request("/file"))) << record;
    EXPECT_EQ(content(), body) << record;
    EXPECT_TRUE(clean());
  }
}

TEST_F(download_test, a_server_that_ignores_range_starts_over_and_the_file_is_right) {
  const std::string body = body_of(90'000);
  std::atomic<int> requests = 0;
  server.handlers().Get("/file", [&](const httplib::Request& asked, httplib::Response& response) {
    server.note(asked);
    const_cast<httplib::Request&>(asked).ranges.clear();
    response.set_header("ETag", "\"v1\"");
    const bool cut = requests++ == 0;
    response.set_content_provider(
        body.size(), "application/octet-stream",
        [&body, cut](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          sink.write(body.data() + offset, cut ? std::min<std::size_t>(length, 30'000) : length);
          return !cut;
        });
  });
  server.start();
  DownloadRequest asked = request("/file");
  asked.progress = [](const std::string&, std::uint64_t done, std::uint64_t total) {
    EXPECT_LE(done, total);
  };
  const auto result = download(asked);
  ASSERT_TRUE(result) << result.error().error.message;
  EXPECT_THAT(server.ranges(), ElementsAre("", "bytes=30000-"));
  EXPECT_EQ(content(), body);
}

TEST_F(download_test, a_server_that_always_hangs_up_at_the_same_byte_is_given_up_on) {
  const std::string body = body_of(90'000);
  server.handlers().Get("/file", [&](const httplib::Request& asked, httplib::Response& response) {
    server.note(asked);
    const_cast<httplib::Request&>(asked).ranges.clear();
    response.set_header("ETag", "\"v1\"");
    response.set_content_provider(body.size(), "application/octet-stream",
                                  [&body](std::size_t offset, std::size_t, httplib::DataSink& sink) {
                                    sink.write(body.data() + offset, 30'000);
                                    return false;
                                  });
  });
  server.start();
  const auto result = download(request("/file"));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().error.message, HasSubstr("4 times in a row"));
  EXPECT_THAT(result.error().error.message, HasSubstr("is kept"));
  EXPECT_THAT(server.ranges(), ::testing::SizeIs(5));
  EXPECT_EQ(content(), "(none)");
}

TEST_F(download_test, a_part_that_is_whole_already_only_gets_its_name) {
  server.handlers().Get("/file", [&](const httplib::Request& asked, httplib::Response& response) {
    server.note(asked);
    const_cast<httplib::Request&>(asked).ranges.clear();
    response.status = 416;
    response.set_header("Content-Range", "bytes */5");
  });
  server.start();
  ASSERT_TRUE(write_file(part(), "hello"));
  ASSERT_TRUE(
      write_file(part().string() + ".json", R"({"url":")" + server.url("/file") + R"(","etag":"\"v1\""})"));
  const auto result = download(request("/file"));
  ASSERT_TRUE(result) << result.error().error.message;
  EXPECT_EQ(result->sha256, kHelloSha256);
  EXPECT_TRUE(clean());
}

TEST_F(download_test, where_the_bytes_never_change_a_cut_download_carries_on_without_an_etag) {
  const std::string body = body_of(90'000);
  for (const bool immutable : {true, false}) {
    TestServer registry;
    registry.serve_cut("/file", body, "", 30'000, 1);
    registry.start();
    DownloadRequest asked = request("");
    asked.url = registry.url("/file");
    asked.immutable = immutable;
    const auto result = download(asked);
    ASSERT_TRUE(result) << result.error().error.message;
    EXPECT_THAT(registry.ranges(), ElementsAre("", immutable ? "bytes=30000-" : ""));
    EXPECT_EQ(content(), body);
    std::filesystem::remove(asked.path);
  }
}

TEST_F(download_test, a_redirect_declares_the_hash_and_the_bytes_are_checked_against_it) {
  for (const bool right : {true, false}) {
    TestServer hub;
    hub.handlers().Get("/resolve", [&](const httplib::Request&, httplib::Response& response) {
      response.set_header("X-Linked-ETag",
                          "\"" + std::string(right ? kHelloSha256 : std::string(64, 'a')) + "\"");
      response.set_header("X-Linked-Size", "5");
      response.set_header("X-Repo-Commit", "c0ffee");
      response.set_redirect("/storage");
    });
    hub.serve("/storage", "hello", "\"something else\"");
    hub.start();
    DownloadRequest asked = request("");
    asked.url = hub.url("/resolve");
    const auto result = download(asked);
    if (right) {
      ASSERT_TRUE(result) << result.error().error.message;
      EXPECT_EQ(result->verified_by, "SHA-256 that the hub declares");
      EXPECT_EQ(result->commit, "c0ffee");
      std::filesystem::remove(folder.path() / "file");
    } else {
      ASSERT_FALSE(result);
      EXPECT_THAT(result.error().error.message, HasSubstr("not the published bytes"));
      EXPECT_EQ(content(), "(none)");
      EXPECT_TRUE(clean());
    }
  }
}

TEST_F(download_test, a_declared_length_that_is_not_met_is_an_error) {
  server.handlers().Get("/file", [&](const httplib::Request&, httplib::Response& response) {
    response.set_header("X-Linked-Size", "6");
    response.set_content("hello", "application/octet-stream");
  });
  server.start();
  const auto result = download(request("/file"));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().error.message, HasSubstr("5 bytes came where 6 were declared"));
  EXPECT_TRUE(clean());
}

TEST_F(download_test, a_small_file_of_the_hub_is_checked_against_its_git_hash) {
  for (const bool right : {true, false}) {
    TestServer hub;
    hub.serve("/file", "hello", "\"" + (right ? std::string(kHelloGit) : std::string(40, 'b')) + "\"",
              {{"X-Repo-Commit", "c0ffee"}});
    hub.start();
    DownloadRequest asked = request("");
    asked.url = hub.url("/file");
    const auto result = download(asked);
    EXPECT_EQ(result.has_value(), right);
    if (result) {
      EXPECT_EQ(result->verified_by, "git hash that the hub declares");
    }
  }
}

TEST_F(download_test, the_hash_in_a_published_name_is_checked) {
  server.serve("/file", "hello", "\"v1\"");
  server.start();
  DownloadRequest asked = request("/file");
  asked.sha256_prefix = "2cf24dba";
  EXPECT_EQ(download(asked)->verified_by, "SHA-256 prefix in the published name");
  asked.sha256_prefix = "2cf24dbb";
  const auto result = download(asked);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().error.message, HasSubstr("the published name says 2cf24dbb"));
}

TEST_F(download_test, absent_and_refused_files_are_told_apart_and_not_asked_for_twice) {
  for (const int status : {401, 403, 404, 418}) {
    server.handlers().Get("/" + std::to_string(status),
                          [=, this](const httplib::Request& asked, httplib::Response& response) {
                            server.note(asked);
                            response.status = status;
                            response.set_content("<html>an error page</html>", "text/html");
                          });
  }
  server.start();
  for (const int status : {401, 403, 404, 418}) {
    const auto result = download(request("/" + std::to_string(status)));
    ASSERT_FALSE(result) << status;
    EXPECT_EQ(result.error().absent, status == 404);
    EXPECT_THAT(result.error().error.message, HasSubstr(std::to_string(status)));
    EXPECT_THAT(result.error().error.message, HasSubstr("BY HAND."));
  }
  EXPECT_THAT(server.ranges(), ::testing::SizeIs(4));
  EXPECT_EQ(content(), "(none)");
  EXPECT_TRUE(clean());
}

TEST_F(download_test, a_server_that_is_busy_for_a_moment_is_asked_again) {
  std::atomic<int> requests = 0;
  server.handlers().Get("/file", [&](const httplib::Request&, httplib::Response& response) {
    if (requests++ < 2)
      response.status = 503;
    else
      response.set_content("hello", "application/octet-stream");
  });
  server.start();
  EXPECT_TRUE(download(request("/file")));
  EXPECT_EQ(requests, 3);
}

TEST_F(download_test, a_server_that_is_down_says_what_to_do_by_hand) {
  const std::string address = server.url("/file");
  server.stop();
  DownloadRequest asked = request("");
  asked.url = "http://127.0.0.1:1/file";
  const auto result = download(asked);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().error.message, HasSubstr("4 times in a row"));
  EXPECT_THAT(result.error().error.message, HasSubstr("BY HAND."));
}

TEST_F(download_test, only_http_addresses_are_opened) {
  DownloadRequest asked = request("");
  asked.url = "file:///etc/hostname";
  EXPECT_FALSE(download(asked));
  EXPECT_EQ(content(), "(none)");
}

TEST_F(download_test, a_full_disk_is_said_and_not_retried) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  server.serve("/file", body_of(100'000), "\"v1\"");
  server.handlers().set_logger([&](const httplib::Request&, const httplib::Response&) {});
  server.start();
  std::filesystem::create_symlink("/dev/full", part());
  const auto result = download(request("/file"));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().error.message, HasSubstr("No space left"));
  EXPECT_THAT(server.ranges(), ::testing::SizeIs(1));
}

}  // namespace
}  // namespace linnet::hub
