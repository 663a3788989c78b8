#include "file/safetensors_header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/classic_locale.h"
#include "base/error.h"
#include "file/printable.h"

namespace octet {
namespace {

// Events of the JSON parser. A state machine rather than a document: duplicate keys show, and no
// nesting deeper than the format's three levels is ever entered.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Header take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kBegin:
        place_ = Place::kRoot;
        return true;
      case Place::kRootValue:
        place_ = name_ == "__metadata__" ? Place::kMetadata : Place::kTensor;
        tensor_ = {name_, DType::kF32, Shape(), 0, 0};
        seen_.clear();
        return true;
      default:
        unexpected("an object");
    }
  }

  bool key(std::string& text) override {
    OCTET_CHECK(!has_control_characters(text), "the name \"", printable(text),
                "\" has control characters");
    if (place_ == Place::kRoot) {
      OCTET_CHECK(names_.insert(text).second, "duplicate name \"", printable(text), "\"");
      name_ = text;
      place_ = Place::kRootValue;
      return true;
    }
    OCTET_CHECK(seen_.insert(text).second, "duplicate key \"", printable(text), "\" in \"",
                printable(name_), "\"");
    key_ = text;
    if (place_ == Place::kMetadata) {
      place_ = Place::kMetadataValue;
    } else if (key_ == "dtype") {
      place_ = Place::kDType;
    } else if (key_ == "shape") {
      place_ = Place::kShape;
    } else if (key_ == "data_offsets") {
      place_ = Place::kOffsets;
    } else {
      throw Error(
          message("unknown key \"", printable(text), "\" in tensor \"", printable(name_), "\""));
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kRoot) {
      place_ = Place::kEnd;
      return true;
    }
    if (place_ == Place::kTensor) {
      OCTET_CHECK(seen_.size() == 3, "tensor \"", printable(name_),
                  "\" needs dtype, shape and data_offsets");
      header_.tensors.push_back(std::move(tensor_));
    }
    place_ = Place::kRoot;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kShape) {
      place_ = Place::kShapeValues;
    } else if (place_ == Place::kOffsets) {
      place_ = Place::kOffsetValues;
    } else {
      unexpected("an array");
    }
    numbers_.clear();
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kShapeValues && place_ != Place::kOffsetValues) unexpected("a number");
    OCTET_CHECK(value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()),
                "number ", value, " in tensor \"", printable(name_), "\" is too large");
    numbers_.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kShapeValues) {
      tensor_.shape = Shape(std::move(numbers_));
    } else {
      OCTET_CHECK(numbers_.size() == 2, "data_offsets of tensor \"", printable(name_), "\" has ",
                  numbers_.size(), " numbers, expected 2");
      tensor_.begin = static_cast<std::uint64_t>(numbers_[0]);
      tensor_.end = static_cast<std::uint64_t>(numbers_[1]);
    }
    place_ = Place::kTensor;
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::kMetadataValue) {
      header_.metadata.emplace(key_, std::move(text));
      place_ = Place::kMetadata;
      return true;
    }
    if (place_ != Place::kDType) unexpected("a string");
    try {
      tensor_.dtype = dtype_from_name(printable(text));
    } catch (const Error& error) {
      throw Error(message("tensor \"", printable(name_), "\": ", error.what()));
    }
    place_ = Place::kTensor;
    return true;
  }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_float(number_float_t, const std::string&) override {
    unexpected("a number that is not an unsigned integer of 64 bits");
  }
  // not fuzzed: JSON has no binary data
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    throw Error(message("the header is not valid JSON at byte ", position, " of it"));
  }

 private:
  // What the reader stands in, or which value it waits for.
  enum class Place {
    kBegin,
    kRoot,
    kRootValue,
    kMetadata,
    kMetadataValue,
    kTensor,
    kDType,
    kShape,
    kShapeValues,
    kOffsets,
    kOffsetValues,
    kEnd
  };

  [[noreturn]] void unexpected(const char* what) const {
    throw Error(
        message("the header has ", what, " where it must not be, at \"", printable(name_), "\""));
  }

  Header header_;
  Place place_ = Place::kBegin;
  std::set<std::string> names_, seen_;
  std::string name_, key_;
  TensorHeader tensor_;
  std::vector<std::int64_t> numbers_;
};

}  // namespace

Header parse_header(std::string_view json) {
  OCTET_CHECK(!json.empty() && json.front() == '{', "the header does not start with '{'");
  // The JSON library takes a NUL for the end of the text and would not look at the rest.
  OCTET_CHECK(json.find('\0') == std::string_view::npos, "the header has a NUL byte");
  HeaderReader reader;
  const ClassicLocale locale;
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return reader.take();
}

}  // namespace octet
