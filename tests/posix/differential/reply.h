// What a worker reports of a step: the call's answer, and the objects that it touched.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tarn::differential {

// What stat shows. Times are nanoseconds since the epoch.
struct Attributes {
  uint32_t mode = 0, nlink = 0, uid = 0, gid = 0;
  uint64_t size = 0, blocks = 0, rdev = 0;
  int64_t atime = 0, mtime = 0, ctime = 0;
  bool has_btime = false;
  // Names the inode for its whole life on its side: made from its file handle, which tells apart
  // two files that had the same number one after the other.
  uint64_t identity = 0;
};

// An object as root sees it after the step.
struct Object {
  std::string role;  // "path 1", "parent of path 1", "fd3"; in a tree its path
  int error = 0;     // why it could not be looked at; all below is empty then
  Attributes attributes;
  std::string link_target;
  bool has_xattrs = false, has_listing = false, has_content = false;
  std::vector<std::pair<std::string, std::string>> xattrs;  // sorted
  std::vector<std::string> listing;                         // sorted "name type"
  uint64_t content = 0;                                     // a hash that holes do not change
};

struct Answer {
  int64_t result = 0;
  int error = 0;
  std::string detail;  // returned data, in a form that is equal on both sides
};

struct Reply {
  Answer answer;
  std::vector<Object> objects;
};

void EncodeReply(const Reply& reply, std::string* out);
Reply DecodeReply(std::string_view* in);

}  // namespace tarn::differential
