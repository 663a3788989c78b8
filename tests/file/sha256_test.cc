#include "file/sha256.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/cpu.h"
#include "base/rng.h"
#include "file/sha256_blocks.h"
#include "tests/skip.h"
#include "tests/text.h"

namespace octet {
namespace {

using testing::bytes_of;

}  // namespace

// FIPS 180-4 examples (NIST, "SHA_All.pdf"), and the empty message.
TEST_CASE("sha256: published known answers") {
  CHECK(sha256_hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex(bytes_of("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(bytes_of(std::string(1000000, 'a'))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

#if defined(__x86_64__)
TEST_CASE("sha256: the SHA extensions compute what the plain code does") {
  if (!cpu_has_sha()) return testing::skip("this CPU has no SHA extensions");
  std::vector<std::byte> blocks(9 * 64);
  Rng rng(5, RngPurpose::kTest);
  for (std::byte& byte : blocks) byte = static_cast<std::byte>(rng.next());
  for (std::size_t count = 0; count <= 9; ++count) {
    std::uint32_t plain[8], fast[8];
    for (std::uint32_t& word : plain) word = static_cast<std::uint32_t>(rng.next());
    std::copy_n(plain, 8, fast);
    sha256_blocks_portable(plain, blocks.data(), count);
    sha256_blocks_sha(fast, blocks.data(), count);
    CHECK(std::equal(plain, plain + 8, fast));
  }
}
#endif

TEST_CASE("sha256: any split of the stream gives the same digest, at every padding length") {
  std::string text;
  for (std::size_t length = 0; length < 200; ++length) {
    CAPTURE(length);
    const std::string whole = sha256_hex(bytes_of(text));
    for (const std::size_t cut : {std::size_t{0}, length / 3, length / 2, length}) {
      Sha256 stream;
      stream.update(bytes_of(text).first(cut));
      stream.hex();  // asking must not disturb the stream
      CHECK(stream.update(bytes_of(text).subspan(cut)).hex() == whole);
    }
    text += static_cast<char>('a' + length % 26);
    CHECK(sha256_hex(bytes_of(text)) != whole);
  }
}

}  // namespace octet
