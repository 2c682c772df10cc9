#include "hub/pull/download.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "hub/pull/digest.h"
#include "hub/pull/libraries.h"

namespace linnet::hub {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kLargestFile = std::uint64_t{4} << 30;  // bytes; no MobileNet comes near it

/// What the answers along a chain of redirects say about the file.
struct Answer {
  long status = 0;
  std::string etag;         ///< of the last answer, quotes included; what If-Range needs
  std::string linked_etag;  ///< X-Linked-ETag of any answer: the SHA-256 of a large file on the hub
  std::string commit;       ///< X-Repo-Commit of any answer
  std::uint64_t linked_size = 0;
  std::uint64_t content_length = 0;
  std::uint64_t range_start = 0;
  std::uint64_t range_total = 0;
  bool has_length = false;
  bool has_range = false;
};

/// What lies beside a partial file.
struct Resume {
  std::string url;
  std::string etag;
};

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// `W/"abc"` and `"abc"` without their marks, in lower case.
std::string bare_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return lower(etag);
}

/// "bytes 100-199/200" (RFC 9110, 14.4)
void parse_content_range(std::string_view value, Answer& answer) {
  if (!value.starts_with("bytes ")) return;
  value.remove_prefix(6);
  const auto dash = value.find('-');
  const auto slash = value.find('/');
  if (slash == std::string_view::npos) return;
  if (const auto total = parse_number(value.substr(slash + 1))) answer.range_total = *total;
  if (dash == std::string_view::npos || dash > slash) return;
  if (const auto start = parse_number(value.substr(0, dash))) {
    answer.range_start = *start;
    answer.has_range = true;
  }
}

/// One attempt: a connection that appends to the partial file.
class Transfer {
 public:
  Transfer(const DownloadRequest& request, const fs::path& part) : request_(request), part_(part) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    if (fd_ >= 0) ::close(fd_);
  }

  /// `have` bytes are in the partial file; `etag` says of which version, or is empty where there is only one.
  CURLcode run(const CurlLibrary& library, std::uint64_t have, const std::string& etag);

  const Answer& answer() const { return answer_; }
  int write_error() const { return write_error_; }
  bool too_large() const { return too_large_; }
  std::uint64_t received() const { return received_; }  ///< bytes of this attempt
  std::uint64_t expected() const;                       ///< size of the whole file, 0: unknown

 private:
  static std::size_t on_header(char* data, std::size_t one, std::size_t size, void* self) {
    static_cast<Transfer*>(self)->header({data, one * size});
    return one * size;
  }
  static std::size_t on_body(char* data, std::size_t one, std::size_t size, void* self) {
    return static_cast<Transfer*>(self)->body(data, one * size) ? one * size : 0;
  }
  void header(std::string_view line);
  bool body(const char* data, std::size_t size);
  bool open_part();

  const DownloadRequest& request_;
  const fs::path& part_;
  Answer answer_;
  std::uint64_t have_ = 0;
  std::uint64_t received_ = 0;
  int fd_ = -1;
  int write_error_ = 0;
  bool too_large_ = false;
};

void Transfer::header(std::string_view line) {
  if (line.starts_with("HTTP/")) {  // the next answer of the chain: forget what only the last one may say
    const Answer before = std::move(answer_);
    answer_ = {};
    answer_.linked_etag = before.linked_etag;
    answer_.linked_size = before.linked_size;
    answer_.commit = before.commit;
    if (const auto space = line.find(' '); space != std::string_view::npos)
      answer_.status = static_cast<long>(parse_number(line.substr(space + 1, 3)).value_or(0));
    return;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "etag") answer_.etag = value;
  if (name == "x-linked-etag") answer_.linked_etag = bare_etag(value);
  if (name == "x-repo-commit") answer_.commit = value;
  if (name == "x-linked-size") answer_.linked_size = parse_number(value).value_or(0);
  if (name == "content-range") parse_content_range(value, answer_);
  if (name == "content-length") {
    const auto length = parse_number(value);
    answer_.content_length = length.value_or(0);
    answer_.has_length = length.has_value();
  }
}

std::uint64_t Transfer::expected() const {
  if (answer_.linked_size) return answer_.linked_size;
  if (answer_.status == 206) return answer_.range_total;
  return answer_.has_length ? answer_.content_length : 0;
}

bool Transfer::open_part() {
  // 206 from where we stand carries on; anything else is the whole file again.
  const bool carries_on = answer_.status == 206 && answer_.has_range && answer_.range_start == have_;
  if (!carries_on) have_ = 0;
  // First what it takes to resume, then the bytes: a record without bytes is harmless, bytes without a record
  // are not.
  const json record = {{"url", request_.url}, {"etag", answer_.etag}};
  const auto written =
      write_file(part_.string() + ".json", record.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  fd_ = written
            ? ::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (carries_on ? O_APPEND : O_TRUNC), 0666)
            : -1;
  if (fd_ < 0) write_error_ = errno ? errno : EIO;
  return fd_ >= 0;
}

bool Transfer::body(const char* data, std::size_t size) {
  if (answer_.status != 200 && answer_.status != 206) return true;  // the text of an error page
  if (fd_ < 0 && !open_part()) return false;
  if (have_ + received_ + size > kLargestFile) {
    too_large_ = true;
    return false;
  }
  while (size > 0) {
    const ssize_t n = ::write(fd_, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      write_error_ = errno;
      return false;
    }
    data += n;
    size -= static_cast<std::size_t>(n);
    received_ += static_cast<std::uint64_t>(n);
  }
  if (request_.progress) request_.progress(request_.path.filename().string(), have_ + received_, expected());
  return true;
}

CURLcode Transfer::run(const CurlLibrary& library, std::uint64_t have, const std::string& etag) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(library.easy_init(), library.easy_cleanup);
  if (!curl) return CURLE_FAILED_INIT;
  have_ = have;

  const auto set = [&](CURLoption option, auto value) { library.set_option(curl.get(), option, value); };
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_USERAGENT, "linnet/0.1");
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, request_.url.starts_with("https:") ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 8L);
  set(CURLOPT_NOSIGNAL, 1L);  // timeouts by signal are not safe beside other threads
  set(CURLOPT_CONNECTTIMEOUT, 15L);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second
  set(CURLOPT_LOW_SPEED_TIME, 30L);  // seconds
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, this);

  std::string range;
  curl_slist* headers = nullptr;
  if (have > 0) {
    range = std::to_string(have) + "-";
    set(CURLOPT_RANGE, range.c_str());
    if (!etag.empty()) headers = library.slist_append(headers, ("If-Range: " + etag).c_str());
  }
  set(CURLOPT_HTTPHEADER, headers);
  const CURLcode code = library.easy_perform(curl.get());
  library.slist_free_all(headers);
  if (fd_ >= 0 && ::fsync(fd_) != 0 && write_error_ == 0) write_error_ = errno;
  return code;
}

/// What an earlier attempt left. Only bytes of a known version can be carried on with (a weak ETag names
/// none), or of an address that has only one.
std::optional<Resume> read_resume(const fs::path& part, const DownloadRequest& request) {
  const auto text = read_text(part.string() + ".json");
  if (!text) return std::nullopt;
  const json record = json::parse(*text, nullptr, false);
  if (!record.is_object() || !record.contains("url") || !record.contains("etag")) return std::nullopt;
  if (!record["url"].is_string() || !record["etag"].is_string()) return std::nullopt;
  Resume resume{record["url"].get<std::string>(), record["etag"].get<std::string>()};
  const bool strong = resume.etag.starts_with('"') && resume.etag.find('\n') == std::string::npos;
  if (resume.url != request.url || !(strong || request.immutable)) return std::nullopt;
  if (!strong) resume.etag.clear();
  return resume;
}

void discard(const fs::path& part) {
  std::error_code ignored;
  fs::remove(part, ignored);
  fs::remove(part.string() + ".json", ignored);
}

std::uint64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

/// Worth another attempt: the line, not the request, is at fault.
bool passes(CURLcode code, long status) {
  switch (code) {
    case CURLE_OK: return status == 408 || status == 429 || status >= 500;
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    default: return false;
  }
}

template <class... Args>
std::unexpected<DownloadError> failure(fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(DownloadError{Error{fmt::format(format, std::forward<Args>(args)...)}});
}

std::unexpected<DownloadError> refused(const DownloadRequest& request, long status) {
  if (status == 401 || status == 403)
    return failure("{}: refused ({}): the file is gated, private or gone. {}", request.url, status,
                   request.how_by_hand);
  if (status == 404 || status == 410) {
    auto absent = failure("{}: there is no such file ({}). {}", request.url, status, request.how_by_hand);
    absent.error().absent = true;
    return absent;
  }
  return failure("{}: the server answers {}. {}", request.url, status, request.how_by_hand);
}

/// Length and hash of the whole partial file against everything that was declared; then it gets its name.
std::expected<Downloaded, DownloadError> accept(const DownloadRequest& request, const fs::path& part,
                                                const Answer& answer, std::uint64_t expected) {
  const std::uint64_t bytes = size_of(part);
  if (expected && bytes != expected) {
    discard(part);
    return failure("{}: {} bytes came where {} were declared; the download is discarded. Try again",
                   request.url, bytes, expected);
  }
  const auto digests = digests_of_file(part);
  if (!digests) return std::unexpected(DownloadError{digests.error()});

  Downloaded result{bytes, digests->sha256, "", answer.commit};
  const auto check = [&](std::string_view declared, const std::string& computed, const char* what) -> bool {
    if (!computed.starts_with(lower(declared))) return false;
    if (!result.verified_by.empty()) result.verified_by += ", ";
    result.verified_by += what;
    return true;
  };
  std::string wrong;
  if (answer.linked_etag.size() == 64 && is_hex(answer.linked_etag) &&
      !check(answer.linked_etag, digests->sha256, "SHA-256 that the hub declares"))
    wrong = "SHA-256 " + digests->sha256 + ", declared is " + answer.linked_etag;
  // The hub names a small file by git's hash of its bytes. Elsewhere an ETag of that form means something
  // else.
  const std::string etag = bare_etag(answer.etag);
  if (answer.linked_etag.empty() && !answer.commit.empty() && etag.size() == 40 && is_hex(etag) &&
      !check(etag, digests->git_blob, "git hash that the hub declares"))
    wrong = "git hash " + digests->git_blob + ", declared is " + etag;
  if (!request.sha256_prefix.empty() &&
      !check(request.sha256_prefix, digests->sha256, "SHA-256 prefix in the published name"))
    wrong = "SHA-256 " + digests->sha256 + ", the published name says " + request.sha256_prefix + "…";
  if (!wrong.empty()) {
    discard(part);
    return failure(
        "{}: these are not the published bytes ({}); the download is discarded. Try again, or from another "
        "network",
        request.url, wrong);
  }

  std::error_code error;
  fs::rename(part, request.path, error);
  if (error) return failure("{}: cannot rename onto it: {}", request.path.string(), error.message());
  discard(part);
  return result;
}

}  // namespace

std::expected<Downloaded, DownloadError> download(const DownloadRequest& request) {
  const auto curl = curl_library();
  if (!curl) return std::unexpected(DownloadError{curl.error()});
  const fs::path part = request.path.string() + ".part";
  auto pause = request.pause;
  std::uint64_t furthest = 0;  // bytes
  for (int attempt = 1;; ++attempt) {
    const auto resume = read_resume(part, request);
    const std::uint64_t have = resume ? size_of(part) : 0;
    Transfer transfer(request, part);
    const CURLcode code = transfer.run(**curl, have, resume ? resume->etag : "");
    const Answer& answer = transfer.answer();

    if (transfer.write_error())
      return failure("{}: cannot write: {}. What has come so far is kept: make room and pull again",
                     part.string(), std::strerror(transfer.write_error()));
    if (transfer.too_large()) {
      discard(part);
      return failure("{}: sends more than {} bytes; this is no MobileNet", request.url, kLargestFile);
    }
    const bool whole = code == CURLE_OK && (answer.status == 200 || answer.status == 206);
    if (whole && transfer.received() == 0) {  // an empty file: no body call came to create it
      if (answer.status == 200) discard(part);
      if (const auto empty = write_file(part, ""); !empty)
        return std::unexpected(DownloadError{empty.error()});
    }
    if (whole) return accept(request, part, answer, transfer.expected());
    // The whole file was here already, and only its name was missing.
    if (code == CURLE_OK && answer.status == 416 && have > 0 && answer.range_total == have)
      return accept(request, part, answer, have);
    if (code == CURLE_OK && answer.status == 416)
      discard(part);
    else if (!passes(code, answer.status)) {
      if (code == CURLE_OK) return refused(request, answer.status);
      return failure("{}: {}. {}", request.url, (*curl)->easy_strerror(code), request.how_by_hand);
    }
    if (const std::uint64_t now = size_of(part); now > furthest) {  // it moves: start counting again
      furthest = now;
      attempt = 0;
      pause = request.pause;
    }
    if (attempt >= request.attempts) {
      if (code == CURLE_OK) return refused(request, answer.status);
      return failure("{}: {}, {} times in a row. {}{}", request.url, (*curl)->easy_strerror(code), attempt,
                     size_of(part) ? "What has come so far is kept: pull again to carry on. " : "",
                     request.how_by_hand);
    }
    std::this_thread::sleep_for(pause);
    pause *= 2;
  }
}

}  // namespace linnet::hub
