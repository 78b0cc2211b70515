internal import HelperProtocol

extension Broker {
    /// A directory's identity and a page of its children's names. A place without components is the root itself.
    func look(_ place: Place, from cursor: UInt64) throws(Outcome) -> Answer {
        _ = try policy.root(of: place, for: .look)
        return try privileges.raised([.dacOverride]) { () throws(Outcome) -> Answer in
            do throws(Outcome) {
                let directory: Descriptor
                if place.depth == 0 {
                    directory = try policy.openRoot(of: place, .directory)
                } else {
                    directory = try place.openParent(in: policy).open(place.name.terminated, .directory)
                }
                var facts = DirectoryFacts(identity: try directory.status().identity, children: [], next: 0)
                try directory.readPage(from: cursor, into: &facts)
                return Answer(.done, .directory(facts))
            } catch {
                if error.isMissingEntry { return Answer(.alreadyDone) }
                throw error.asResolution
            }
        }
    }
}

extension Descriptor {
    fileprivate func readPage(from cursor: UInt64, into facts: inout DirectoryFacts) throws(Outcome) {
        var entries = EntryReader()
        var bytes = 0
        var position = cursor
        if cursor != 0 { try seek(to: cursor) }
        while let entry = try entries.next(self) {
            let name = entries.name(of: entry)
            bytes += name.count + 2
            if bytes > DirectoryFacts.pageBytes {
                facts.next = position
                return
            }
            facts.children.append(DirectoryFacts.Child(type: entry.type, name: name.array))
            position = entry.next
        }
    }
}
