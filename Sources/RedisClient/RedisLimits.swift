// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Every limit of this client, with its unit and its reason.
///
/// A number that a server sends meets its limit here before any arithmetic is done with it.
package enum RedisLimits {
    // MARK: Replies

    /// A line of a reply, bytes: a simple string, an error or a number. Errors of scripts are the longest.
    package static let maximumLineBytes = 64 << 10
    /// A bulk string, bytes: far more than the largest answer that is ever stored.
    package static let maximumBulkBytes = 64 << 20
    /// All strings of one reply, bytes: a page of an export is the largest.
    package static let maximumReplyBytes = 256 << 20
    /// Elements of one reply, those of inner aggregates and attributes among them; 32 bytes each or a little more. No
    /// memory is reserved by a server's count.
    package static let maximumElements = 1 << 20
    /// Aggregates inside of each other: replies of scripts, `FT.*` and `CLUSTER SHARDS` need fewer than ten.
    package static let maximumDepth = 32

    /// The word that an error begins with, bytes, as it goes into logs: the longest that a server knows has a dozen.
    package static let maximumPrefixBytes = 32

    // MARK: Commands

    /// Commands on one connection whose replies have not come: those that were given up hold their place as well.
    package static let maximumCommandsInFlight = 1024
    /// Bytes of them; a connection that has nothing in flight takes a larger one too.
    package static let maximumBytesInFlight = 16 << 20
    /// Commands of one server that wait for a connection or for a place on one; above it they fail as overloaded.
    package static let maximumCommandsWaiting = 4096
    /// Bytes of them.
    package static let maximumBytesWaiting = 64 << 20
    /// A command of more bytes than this is handed to the channel as it is, a shorter one copied together with others.
    package static let copiedCommandBytes = 64 << 10

    // MARK: Connections

    /// Connections of one server, whatever the configuration says.
    package static let maximumConnections = 64
    /// Time without any byte from the server, after a command's time was up, until its connection is given up.
    package static let silence = TimeAmount.seconds(1)
    /// Time from when the connections to a server that the URL names, and that turned out to be a replica, are given up
    /// until they are given up again.
    package static let abandonPause = TimeAmount.seconds(1)
    /// Time after which a connection that nobody uses is tried with a PING, so that it is not found dead by a command.
    package static let idleTime = TimeAmount.seconds(5)
    /// Time after a connection could not be made beside others until another one is tried.
    package static let growthPause = TimeAmount.seconds(1)
    /// A connection that lived shorter is not replaced before a command needs one: a server that closes each one at
    /// once is not asked in a circle.
    package static let stableTime = TimeAmount.seconds(1)
    /// Bounds of the wait before an unreachable server is tried again; full jitter between the first and what the
    /// number of failures allows.
    package static let minimumBackoff = TimeAmount.milliseconds(50)
    package static let maximumBackoff = TimeAmount.seconds(1)

    // MARK: URLs

    /// A URL, bytes: 64 hosts with long names and passwords.
    package static let maximumURLBytes = 4096
    /// Hosts in one: sentinels, or a cluster's servers of which only one needs to answer.
    package static let maximumURLHosts = 64
    /// A host name, bytes: what the domain name system allows, and a little.
    package static let maximumHostBytes = 255
    /// Number of a database; a server has 16 if its configuration does not say otherwise.
    package static let maximumDatabase = 65_535

    // MARK: Deployments

    /// Servers of a cluster: the specification recommends 1,000 at most.
    package static let maximumServers = 1024
    /// Servers that a cluster names for one slot: a primary and its replicas.
    package static let maximumServersOfSlot = 64
    /// Time in which a sentinel or a server must say who the primaries are, before another is asked.
    package static let inquiryTimeout = TimeAmount.seconds(1)
    /// Servers of a cluster that are asked in one inquiry, others in the next.
    package static let membersPerInquiry = 8
    /// Time from the end of an inquiry to the next, however many commands ask for one; and for replies of a server that
    /// was found to be replaced.
    package static let inquiryPause = Duration.milliseconds(100)
    /// Time between inquiries that no trouble has caused. For so long writes may go to a primary that was replaced and
    /// yet takes them, and are lost: sentinels tell it after eight seconds only.
    package static let sentinelInterval = Duration.milliseconds(500)
    /// The same in a cluster, whose servers say by themselves what has changed.
    package static let clusterInterval = Duration.seconds(30)

    // MARK: Attempts

    /// Redirections that a command follows in a row before it waits: one is usual, two while a slot is moved.
    package static let maximumRedirections = 5
    /// Bounds of the wait before a command is tried again.
    package static let minimumRetryDelay = TimeAmount.milliseconds(10)
    package static let maximumRetryDelay = TimeAmount.milliseconds(250)
    /// Age of a single server's trouble up to which commands wait for it to pass: a connection that broke, or a quick
    /// restart.
    package static let restartPatience = Duration.milliseconds(250)
    /// The same where another server may take over: most failovers of sentinels or a cluster that wait a second or two.
    package static let failoverPatience = Duration.seconds(5)
    /// Time without a failure after which trouble is taken to be over though no command has succeeded since.
    package static let troubleMemory = TimeAmount.seconds(30)
}
