#include "datasets/idx.h"

#include <cstddef>
#include <utility>

#include "base/error.h"
#include "data/in_memory.h"
#include "file/foreign_format.h"

namespace octet {
namespace {

constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 30;

std::uint32_t big_endian_u32(std::span<const std::uint8_t> bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

}  // namespace

IdxArray parse_idx(const DatasetFile& file, int rank) {
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(file.bytes.data()),
                        file.bytes.size());
  const std::size_t header = 4 + 4 * static_cast<std::size_t>(rank);
  const std::uint32_t expected = 0x800u + static_cast<std::uint32_t>(rank);
  const std::uint32_t magic = bytes.size() < 4 ? expected : big_endian_u32(bytes);
  OCTET_CHECK(magic == expected, file.path, ": byte 0: expected the magic number ", expected,
              " (u8 elements in ", rank, " dimensions), got ", magic, foreign_hint(file.bytes),
              "; ", file.remedy);
  OCTET_CHECK(bytes.size() >= header, file.path, ": byte ", bytes.size(),
              ": the file ends inside the header of ", header, " bytes; ", file.remedy);

  std::vector<std::int64_t> dims;
  std::uint64_t elements = 1;  // at most 2^30 before each product with a u32: no overflow
  for (std::size_t at = 4; at < header; at += 4) {
    const std::uint32_t dim = big_endian_u32(bytes.subspan(at));
    elements *= dim;
    OCTET_CHECK(elements > 0 && elements <= kMaxElements, file.path, ": byte ", at,
                ": expected a dimension of at least 1 and at most ", kMaxElements,
                " elements in all, got ", dim, "; ", file.remedy);
    dims.push_back(dim);
  }
  const Shape shape(std::move(dims));
  OCTET_CHECK(bytes.size() == header + elements, file.path, ": byte ", bytes.size(),
              ": expected the file to end at byte ", header + elements, " for shape ", shape, "; ",
              file.remedy);
  return {shape, bytes.subspan(header)};
}

std::shared_ptr<const Dataset> parse_idx_dataset(const DatasetFile& images,
                                                 const DatasetFile& labels,
                                                 std::vector<std::string> class_names) {
  const IdxArray pixels = parse_idx(images, 3), codes = parse_idx(labels, 1);
  OCTET_CHECK(pixels.shape[0] == codes.shape[0], images.path, " holds ", pixels.shape[0],
              " images, but ", labels.path, " ", codes.shape[0], " labels; ", labels.remedy);
  for (std::size_t i = 0; i < codes.data.size(); ++i) {
    OCTET_CHECK(codes.data[i] < class_names.size(), labels.path, ": byte ", 8 + i,
                ": expected a label below ", class_names.size(), ", got ", int{codes.data[i]}, "; ",
                labels.remedy);
  }
  return std::make_shared<InMemoryDataset>(
      Shape{pixels.shape[1], pixels.shape[2], 1},
      std::vector<std::uint8_t>(pixels.data.begin(), pixels.data.end()),
      std::vector<std::int32_t>(codes.data.begin(), codes.data.end()), std::move(class_names));
}

}  // namespace octet
