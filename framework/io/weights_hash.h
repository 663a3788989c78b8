#pragma once

#include "file/safetensors.h"
#include "file/sha256.h"

namespace octet {

// Adds one tensor to the stream, in the encoding that weights_sha256 documents.
void hash_tensor(Sha256& hash, const TensorEntry& entry);

}  // namespace octet
