#include "native/workloads/stl_map.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace plugpull {

struct StlMap::Root {
  std::uint64_t magic;
  std::uint64_t node_bytes;  // so that a map of another library is refused
  Map map;
};

namespace {

using Node = std::_Rb_tree_node<StlMap::Map::value_type>;
using Link = std::_Rb_tree_node_base;

constexpr std::uint64_t kMagic = 0x70616d5f6c7473;  // "stl_map"
// A red-black tree of n nodes is at most 2 log2(n + 1) deep.
constexpr int kDeepest = 128;

[[noreturn]] void broken(const std::string& what) { throw std::runtime_error("the map is broken: " + what); }

// Walks a tree that may be anything.
class Walk {
 public:
  Walk(const Heap& heap, const StlMap::Map& map, StlMap::Contents& contents)
      : heap_(heap), size_(map.size()), header_(map.end()._M_node), contents_(contents) {}

  void run() {
    const Link* top = header_->_M_parent;
    if (top != nullptr && black_height(top, header_, 0) < 0) broken("the root is red");
    if (contents_.pairs.size() != size_) {
      broken("it counts " + std::to_string(size_) + " pairs but links " +
             std::to_string(contents_.pairs.size()));
    }
    if (first_ != (size_ == 0 ? nullptr : header_->_M_left)) broken("its link to the smallest key is wrong");
    if (last_ != (size_ == 0 ? nullptr : header_->_M_right)) broken("its link to the greatest key is wrong");
  }

 private:
  // Number of black nodes on each way down; negative where the node itself is red.
  int black_height(const Link* link, const Link* parent, int depth) {
    if (depth > kDeepest) broken("its tree is too deep");
    if (contents_.pairs.size() + static_cast<std::size_t>(depth) > size_ + kDeepest)
      broken("its tree has a cycle");
    const Offset offset = check_place(link);
    if (link->_M_parent != parent)
      broken("the node at " + std::to_string(offset) + " links to another parent");
    unsigned colour = 0;  // not read as an enumeration before it is known to be one
    static_assert(sizeof colour == sizeof link->_M_color);
    std::memcpy(&colour, &link->_M_color, sizeof colour);
    if (colour > 1) broken("the node at " + std::to_string(offset) + " has no colour");
    const bool red = colour == std::_S_red;

    const int left = link->_M_left == nullptr ? 1 : black_height(link->_M_left, link, depth + 1);
    visit(link, offset);
    const int right = link->_M_right == nullptr ? 1 : black_height(link->_M_right, link, depth + 1);
    if (red && (left < 0 || right < 0)) broken("two red nodes follow each other");
    if (std::abs(left) != std::abs(right)) broken("its tree is not balanced");
    return red ? -std::abs(left) : std::abs(left) + 1;
  }

  Offset check_place(const Link* link) const {
    const auto address = reinterpret_cast<std::uintptr_t>(link);
    const auto base = reinterpret_cast<std::uintptr_t>(heap_.data());
    if (address < base || address >= base + heap_.size()) broken("a link leads out of the heap");
    const Offset offset = address - base;
    std::size_t usable = 0;
    try {
      usable = heap_.usable_size(offset);
    } catch (const std::invalid_argument& error) {
      broken(std::string("a link leads to no node: ") + error.what());
    }
    if (usable < sizeof(Node)) broken("a link leads to a block that is too small for a node");
    return offset;
  }

  void visit(const Link* link, Offset offset) {
    const auto& [key, value] = *static_cast<const Node*>(link)->_M_valptr();
    if (!contents_.pairs.empty() && contents_.pairs.back().first >= key) {
      broken("key " + std::to_string(key) + " does not follow key " +
             std::to_string(contents_.pairs.back().first));
    }
    if (contents_.pairs.size() == size_) broken("it links more pairs than it counts");
    contents_.pairs.emplace_back(key, value);
    contents_.blocks.push_back(offset);
    if (first_ == nullptr) first_ = link;
    last_ = link;
  }

  const Heap& heap_;
  std::size_t size_;
  const Link* header_;
  StlMap::Contents& contents_;
  const Link* first_ = nullptr;
  const Link* last_ = nullptr;
};

}  // namespace

thread_local Heap* HeapScope::current_ = nullptr;

StlMap::StlMap(std::shared_ptr<Heap> heap) : heap_(std::move(heap)) {
  if (!heap_->fixed()) throw std::invalid_argument("a std::map needs a heap at a fixed address");
  if (heap_->root() != 0) {
    if (heap_->usable_size(heap_->root()) < sizeof(Root) || root().magic != kMagic ||
        root().node_bytes != sizeof(Node)) {
      broken("the root of the heap is no std::map of this build");
    }
    return;
  }
  const Offset block = heap_->allocate(sizeof(Root));
  new (heap_->data() + block) Root{kMagic, sizeof(Node), Map{}};
  heap_->set_root(block);
}

StlMap::Root& StlMap::root() const { return *reinterpret_cast<Root*>(heap_->data() + heap_->root()); }

void StlMap::insert(std::uint64_t key, std::uint64_t value) {
  const HeapScope scope(*heap_);
  root().map.insert_or_assign(key, value);
}

bool StlMap::erase(std::uint64_t key) {
  const HeapScope scope(*heap_);
  return root().map.erase(key) > 0;
}

std::optional<std::uint64_t> StlMap::get(std::uint64_t key) const {
  const Map& map = root().map;
  const auto found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

std::size_t StlMap::size() const { return root().map.size(); }

StlMap::Contents StlMap::read() const {
  Contents contents;
  contents.blocks.push_back(heap_->root());
  Walk(*heap_, root().map, contents).run();
  return contents;
}

}  // namespace plugpull
