import HelperOperations
import HelperProtocol

extension FuzzTarget {
    /// Container ids, places and the name patterns of namespace roots, against the rules as PROTOCOL.md says them.
    static let place = FuzzTarget(name: "place") { bytes in
        promise(((try? ContainerID(bytes)) != nil) == isContainerID(bytes))

        let components = bytes.split(separator: 0x2f, omittingEmptySubsequences: false).map(Array.init)
        let allowed = components.count <= Limits.components && components.allSatisfy(isFileName)
        if let place = try? Place(root: 7, components: components) {
            promise(allowed && place.depth == components.count && place.root == 7)
            promise(place.name.array == components.last)
            promise(place.parent.array == Array(components.dropLast().joined(separator: [0x2f])))
            let packet = RequestPacket(id: 1, deadline: 1, request: .unmount(place, .look)).encoded()
            if packet.count <= Limits.requestBytes {
                promise((try? RequestPacket(decoding: packet.span))?.request == .unmount(place, .look))
            }
        } else {
            promise(!allowed)
        }

        guard let name = components.last, name.count <= Limits.componentBytes else { return }
        let patterns = Array(components.dropLast().joined(separator: [0x20]))
        var text = InlineBytes<65>()
        guard patterns.allSatisfy({ text.append($0) }) else { return }
        var entry = InlineBytes<256>()
        for byte in name { promise(entry.append(byte)) }
        _ = NamePatterns(text).match(entry)
    }
}

func isContainerID(_ bytes: [UInt8]) -> Bool {
    let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_".utf8)
    guard let first = bytes.first, bytes.count <= 128, plain.contains(first) else { return false }
    return bytes.allSatisfy { plain.contains($0) || ".+-".utf8.contains($0) }
}

func isFileName(_ bytes: [UInt8]) -> Bool {
    (1...255).contains(bytes.count) && !bytes.contains(0x2f) && !bytes.contains(0) && bytes != [0x2e]
        && bytes != [0x2e, 0x2e]
}
