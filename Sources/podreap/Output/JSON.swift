import FoundationEssentials

/// One JSON object in one line, its keys in alphabetical order.
func jsonLine(_ value: some Encodable) -> String { json(value, [.sortedKeys, .withoutEscapingSlashes]) }

/// The same object on several lines, for people.
func jsonText(_ value: some Encodable) -> String {
    json(value, [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
}

private func json(_ value: some Encodable, _ format: JSONEncoder.OutputFormatting) -> String {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = format
    guard let data = try? encoder.encode(value) else { return "" }
    return String(decoding: data, as: UTF8.self) + "\n"
}
