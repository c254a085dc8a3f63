// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel

/// What a connection was found to be: who it acts for, and the tenants it has asked for.
///
/// Belongs to one connection.
struct Session {
    let principal: Principal
    private let engine: CacheEngine
    /// Of the principal's own scope, or the one that a gateway named last: calls for one tenant come in rows.
    private var last: (name: String?, tenant: Tenant)?

    init(_ principal: Principal, engine: CacheEngine) {
        self.principal = principal
        self.engine = engine
    }

    /// Whether calls name their tenant.
    var isGateway: Bool {
        if case .gateway = self.principal.tenancy { return true }
        return false
    }

    /// The tenant of a call.
    ///
    /// - Throws: ``CacheError`` with `.permissionDenied`, `.invalidArgument` or `.resourceExhausted`.
    mutating func tenant(naming name: String?) throws(CacheError) -> Tenant {
        if let last, Self.isSame(last.name, name), self.engine.isCurrent(last.tenant) { return last.tenant }
        let tenant = try self.engine.tenant(try self.principal.scope(naming: name))
        self.last = (name, tenant)
        return tenant
    }

    private static func isSame(_ left: String?, _ right: String?) -> Bool {
        switch (left, right) {
        case (nil, nil): true
        case (let left?, let right?): left.utf8.elementsEqual(right.utf8)
        default: false
        }
    }
}

extension ServiceRequest {
    /// What a credential must have for it; `nil` for what every peer that was let in may ask.
    var role: Roles? {
        switch self {
        // Who cannot store must not keep others from it.
        case .lookup(let lookup) where lookup.lease != nil: [.read, .write]
        case .lookup, .embed: .read
        case .store, .lease: .write
        case .invalidate: .invalidate
        case .feedback: .feedback
        case .stats, .export, .labels: .admin
        case .ping: nil
        }
    }
}

extension Roles {
    /// - Throws: ``CacheError`` with `.permissionDenied`.
    func permit(_ request: ServiceRequest, of tenant: Tenant) throws(CacheError) {
        guard let role = request.role, !self.contains(role) else { return }
        tenant.account.countRefusalByRole()
        throw CacheError(.permissionDenied, "the credential lacks the role \(role.names.joined(separator: ", "))")
    }
}
