// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient
import CacheModel

/// What a lookup is named by, as hexadecimal digits: unlike Base64, they never look like an option.
struct LookupIDText: ExpressibleByArgument {
    let id: CacheLookupID

    init(_ id: CacheLookupID) { self.id = id }

    init?(argument: String) {
        guard let bytes = Hexadecimal.bytes(argument), let id = CacheLookupID(bytes: bytes) else { return nil }
        self.id = id
    }

    var text: String { Hexadecimal.text(self.id.bytes) }
}
