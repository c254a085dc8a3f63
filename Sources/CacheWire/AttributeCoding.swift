// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

// Both ends write and read these: a client in a Store, a server in a match.
extension MessageBuilder {
    func attributes(
        _ attributes: [Attribute]
    ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Semcached__V1__Attribute>?>?) {
        self.list(attributes) { attribute in
            let packed = self.make(semcached__v1__attribute__init)
            packed.pointee.name = self.bytes(attribute.name)
            switch attribute.value {
            case .string(let text):
                packed.pointee.value_case = SEMCACHED__V1__ATTRIBUTE__VALUE_STRING
                packed.pointee.string = self.bytes(text)
            case .number(let number):
                packed.pointee.value_case = SEMCACHED__V1__ATTRIBUTE__VALUE_NUMBER
                packed.pointee.number = number
            case .boolean(let boolean):
                packed.pointee.value_case = SEMCACHED__V1__ATTRIBUTE__VALUE_BOOLEAN
                packed.pointee.boolean = boolean ? 1 : 0
            case .strings(let strings):
                packed.pointee.value_case = SEMCACHED__V1__ATTRIBUTE__VALUE_STRINGS
                let list = self.make(semcached__v1__string_list__init)
                (list.pointee.n_values, list.pointee.values) = self.list(strings) { self.bytes($0) }
                packed.pointee.strings = list
            }
            return packed
        }
    }

    func usage(_ usage: Usage?) -> UnsafeMutablePointer<Semcached__V1__Usage>? {
        guard let usage else { return nil }
        let packed = self.make(semcached__v1__usage__init)
        packed.pointee.prompt_tokens = usage.promptTokens
        packed.pointee.completion_tokens = usage.completionTokens
        packed.pointee.cost = usage.cost
        return packed
    }
}

/// Attributes of a reply, as they are.
func answeredAttributes(
    _ start: UnsafeMutablePointer<UnsafeMutablePointer<Semcached__V1__Attribute>?>?, _ count: Int
) throws(CacheError) -> [Attribute] {
    var attributes: [Attribute] = []
    for attribute in RepeatedMessages(start, count) {
        attributes.append(
            Attribute(
                name: String(decoding: attribute.name.bytes, as: UTF8.self), value: try attributeValue(attribute)))
    }
    return attributes
}

func attributeValue(_ attribute: Semcached__V1__Attribute) throws(CacheError) -> AttributeValue {
    switch attribute.value_case {
    case SEMCACHED__V1__ATTRIBUTE__VALUE_STRING:
        return .string(try attribute.string.text("attributes.string", limit: Limits.maximumAttributeStringBytes))
    case SEMCACHED__V1__ATTRIBUTE__VALUE_NUMBER:
        guard attribute.number.isFinite else { throw .invalidArgument("attributes.number", "is not finite") }
        return .number(attribute.number)
    case SEMCACHED__V1__ATTRIBUTE__VALUE_BOOLEAN:
        return .boolean(attribute.boolean != 0)
    case SEMCACHED__V1__ATTRIBUTE__VALUE_STRINGS:
        let list = attribute.strings.pointee
        return .strings(try strings(list.values, list.n_values, "attributes.strings"))
    default:
        throw .invalidArgument("attributes", "has an attribute without a value")
    }
}

func strings(
    _ start: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int, _ field: StaticString
) throws(CacheError) -> [String] {
    guard count <= Limits.maximumAttributeListCount else {
        throw .tooMany(field, count, limit: Limits.maximumAttributeListCount)
    }
    var strings: [String] = []
    for data in UnsafeBufferPointer(start: start, count: count) {
        strings.append(try data.text(field, limit: Limits.maximumAttributeStringBytes))
    }
    return strings
}

func storedUsage(_ usage: UnsafeMutablePointer<Semcached__V1__Usage>?) throws(CacheError) -> Usage? {
    guard let usage = usage?.pointee else { return nil }
    guard usage.cost.isFinite, usage.cost >= 0 else {
        throw .invalidArgument("usage.cost", "is not a finite number of at least 0")
    }
    return Usage(promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens, cost: usage.cost)
}
