#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

// Constants of the zip format, shared by reader and writer (PKWARE APPNOTE 6.3, sections 4.3 and 4.5).
namespace qdq::zip {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryHeader = 0x02014b50;
constexpr std::uint32_t kEndOfDirectory = 0x06054b50;
constexpr std::uint32_t kZip64End = 0x06064b50;
constexpr std::uint32_t kZip64Locator = 0x07064b50;

constexpr std::size_t kLocalHeaderSize = 30;
constexpr std::size_t kDirectoryHeaderSize = 46;
constexpr std::size_t kEndOfDirectorySize = 22;
constexpr std::size_t kZip64EndSize = 56;
constexpr std::size_t kZip64LocatorSize = 20;

constexpr std::uint16_t kZip64Extra = 0x0001;
constexpr std::uint16_t kPaddingExtra = 0x4246;  // "FB": what PyTorch pads its entries with
constexpr std::uint32_t kIn64 = 0xffffffff;      // "the value is in the zip64 field"
constexpr std::uint16_t kIn64Short = 0xffff;

constexpr std::uint16_t kFlagEncrypted = 1 << 0;
constexpr std::uint16_t kFlagDataDescriptor = 1 << 3;  // the local header does not know sizes and checksum
constexpr std::uint16_t kFlagPatch = 1 << 5;
constexpr std::uint16_t kFlagStrongEncryption = 1 << 6;
constexpr std::uint16_t kFlagUtf8 = 1 << 11;
constexpr std::uint16_t kFlagMasked = 1 << 13;

// Why `name` must not name an entry, null when it may: absolute paths, "..", control characters and the like.
const char* name_problem(std::string_view name);

}  // namespace qdq::zip
