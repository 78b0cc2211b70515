import Glibc

/// The target that PODREAP_FUZZ names.
private let target: FuzzTarget = {
    let name = getenv("PODREAP_FUZZ").map { String(cString: $0) }
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        fatalError("PODREAP_FUZZ names no target: \(FuzzTarget.all.map(\.name))")
    }
    return target
}()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    target.body(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
