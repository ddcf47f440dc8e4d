#include "common/wire/lease.h"

#include "common/wire/convert.h"

namespace tarn::wire {
namespace {

LeaseMode ModeOf(v1::LeaseMode mode) {
  switch (mode) {
    case v1::LEASE_MODE_PINNED:
      return LeaseMode::kPinned;
    case v1::LEASE_MODE_SHARED:
      return LeaseMode::kShared;
    case v1::LEASE_MODE_EXCLUSIVE:
      return LeaseMode::kExclusive;
    default:
      return LeaseMode::kNone;
  }
}

}  // namespace

void Fill(const LeaseNews& news, v1::ReplyHeader& header) {
  for (const Grant& grant : news.grants) {
    v1::Grant& message = *header.add_grants();
    message.set_ino(Raw(grant.ino));
    message.set_mode(static_cast<v1::LeaseMode>(grant.mode));
    message.set_sequence(grant.sequence);
  }
  for (const Ino ino : news.changed) header.add_changed(Raw(ino));
  for (const Attr& attr : news.directories) Fill(attr, *header.add_directories());
  if (!news.contents.has_value()) return;
  v1::Contents& contents = *header.mutable_contents();
  contents.set_ino(Raw(news.contents->ino));
  contents.set_offset(news.contents->offset);
  contents.set_data(news.contents->data.ToString());
}

LeaseNews LeaseNewsOf(const v1::ReplyHeader& header) {
  LeaseNews news;
  news.server_time = {header.server_time()};
  news.grants.reserve(static_cast<size_t>(header.grants_size()));
  for (const v1::Grant& grant : header.grants()) {
    news.grants.push_back({Ino{grant.ino()}, ModeOf(grant.mode()), grant.sequence()});
  }
  news.changed.reserve(static_cast<size_t>(header.changed_size()));
  for (const uint64_t ino : header.changed()) news.changed.push_back(Ino{ino});
  for (const v1::Attr& message : header.directories()) {
    Attr attr;
    // Else there is nothing to learn.
    if (Take(message, attr).ok()) news.directories.push_back(attr);
  }
  if (header.has_contents()) {
    const v1::Contents& contents = header.contents();
    news.contents = Contents{Ino{contents.ino()}, contents.offset(), Bytes::Copy(contents.data())};
  }
  return news;
}

void Fill(const Recall& recall, v1::Recall& message) {
  message.set_ino(Raw(recall.ino));
  message.set_to(static_cast<v1::LeaseMode>(recall.to));
  for (const std::string& name : recall.names) message.add_names(name);
  message.set_directory(recall.directory);
}

Status Take(const v1::Recall& message, Recall& recall) {
  recall.ino = Ino{message.ino()};
  recall.to = ModeOf(message.to());
  const bool known = message.to() == v1::LEASE_MODE_NONE ||
                     message.to() == v1::LEASE_MODE_SHARED ||
                     message.to() == v1::LEASE_MODE_EXCLUSIVE;
  if (!known) return Error(Errno::kEINVAL, "unknown mode of a recall");
  recall.directory = message.directory();
  recall.names.assign(message.names().begin(), message.names().end());
  return Ok();
}

void Fill(const LeaseReturn& lease, v1::LeaseReturn& message) {
  message.set_ino(Raw(lease.ino));
  message.set_sequence(lease.sequence);
}

LeaseReturn LeaseReturnOf(const v1::LeaseReturn& message) {
  return {Ino{message.ino()}, message.sequence()};
}

void Fill(const Glimpse& glimpse, v1::Glimpse& message) {
  message.set_event(glimpse.event);
  message.set_size(glimpse.size);
  message.set_mtime(glimpse.mtime.ns);
}

LeaseAnswers LeaseAnswersOf(const v1::ReturnLeasesRequest& message) {
  LeaseAnswers answers;
  answers.recalls.assign(message.recalls().begin(), message.recalls().end());
  for (const v1::LeaseReturn& lease : message.leases()) {
    answers.returns.push_back(LeaseReturnOf(lease));
  }
  for (const v1::Glimpse& glimpse : message.glimpses()) {
    answers.glimpses.push_back(GlimpseOf(glimpse));
  }
  return answers;
}

Glimpse GlimpseOf(const v1::Glimpse& message) {
  return {message.event(), message.size(), Timestamp{message.mtime()}};
}

}  // namespace tarn::wire
