// SPDX-License-Identifier: Apache-2.0

import FuzzProperties

/// Called by libFuzzer with every input; 0 means that it is worth keeping.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    FuzzProperty.tlsHandshake.check(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
