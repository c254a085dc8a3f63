// SPDX-License-Identifier: Apache-2.0

/// Every limit of the service, with its unit and its reason.
///
/// A number that a peer controls meets its limit here before any arithmetic is done with it.
package enum Limits {
    // MARK: Frames and connections

    /// Largest frame body, bytes. Fits the largest response, prompt, vector and attributes together.
    package static let maximumFrameBytes = 4 << 20
    /// Largest frame body before a `Hello` was accepted, bytes: a stranger gets no memory but for his credential.
    package static let maximumHelloBytes = 16 << 10
    /// Memory that decoding one message may take, bytes. protobuf-c's structures are larger than the wire form: a list
    /// of empty elements, two bytes each, becomes a structure each.
    package static let maximumDecodedBytes = 16 << 20
    /// Calls in flight per connection; beyond it the connection is not read.
    package static let maximumCallsInFlight = 1024
    /// Calls in flight of a tenant whose settings do not say: a few may flood the queues together before others feel it.
    package static let tenantCallsInFlight = 512
    /// Bytes of their requests; beyond it the connection is not read.
    package static let maximumBytesInFlight = 32 << 20
    /// Open connections of one listener. Above it, a new one is closed at once.
    package static let maximumConnections = 10_000
    /// Connections that have not said hello yet, of one listener.
    package static let maximumUnauthenticatedConnections = 2_000
    /// Of these, from one address: one host that opens many and says nothing leaves the others their part. Behind a load
    /// balancer that hides addresses, all come from one.
    package static let maximumUnauthenticatedConnectionsPerAddress = 1_000
    /// Connections that one turn of an event loop accepts, so that a storm of them holds up nobody's calls for long.
    package static let maximumAcceptsPerTurn: UInt = 16
    /// Time in which a connection must say hello.
    package static let handshakeDeadline = Duration.seconds(5)
    /// Time in which a frame that was begun must be complete: a peer that drips bytes holds nothing for long.
    package static let frameDeadline = Duration.seconds(30)
    /// Replies waiting to be written to a peer that does not read, bytes; above it the connection is not read either, and
    /// above four times as much a hit is answered with an error instead.
    package static let maximumUnwrittenBytes = 8 << 20
    /// Time in which a peer that does not read must take some of what is waiting for it.
    package static let writeDeadline = Duration.seconds(30)
    /// Time after a GoAway, with nothing left to answer, in which it is the peer's to close.
    package static let goAwayLinger = Duration.seconds(1)
    /// Time without a call after which a connection is asked to go. A client that is still there makes another one with
    /// its next call.
    package static let idleDeadline = Duration.seconds(3600)
    /// Silence after which the system asks whether a peer is still there, time between its questions, and how many go
    /// without an answer: a peer that vanished holds nothing for longer than two minutes.
    package static let keepAliveIdle = Duration.seconds(60)
    package static let keepAliveInterval = Duration.seconds(15)
    package static let keepAliveProbes = 4
    /// Lines of the log, of one kind, on handshakes and credentials that were refused, within the interval: each is told
    /// of unless there is a flood of them.
    package static let refusalLines = 100
    package static let refusalLinesInterval = Duration.seconds(10)
    /// Deadline of a call that names none.
    package static let defaultDeadline = Duration.seconds(10)
    /// Longest deadline that a call may ask for; a longer one is shortened.
    package static let maximumDeadline = Duration.seconds(300)
    /// Client name in a `Hello`, bytes.
    package static let maximumClientNameBytes = 256
    /// API key, bytes.
    package static let maximumAPIKeyBytes = 512
    /// JSON Web Token, bytes: with a chain of certificates or many claims a few KiB.
    package static let maximumTokenBytes = 8 << 10
    /// Secret that tokens are signed with, bytes: less than a digest has could be guessed more easily than forged.
    package static let minimumTokenSecretBytes = 32
    /// By how much the clock of a token's issuer may differ from ours.
    package static let maximumTokenLeeway = Duration.seconds(300)
    /// RSA key that verifies tokens, bits: a shorter one can be broken, a longer one takes a stranger's token too long.
    package static let tokenRSAKeyBits = 2048...8192
    /// JSON Web Key Set, bytes.
    package static let maximumKeySetBytes = 256 << 10
    /// Keys of one set.
    package static let maximumKeys = 100
    /// Time in which a key set must have come, and in which there must be a connection for it: less than
    /// `handshakeDeadline`, so that a peer that waits for it is told why it is not let in.
    package static let keyFetchDeadline = Duration.seconds(4)
    package static let keyConnectDeadline = Duration.seconds(3)
    /// Time between two fetches of a key set, whatever strangers show us; and while there are no keys yet.
    package static let keyFetchInterval = Duration.seconds(30)
    package static let keyFirstFetchInterval = Duration.seconds(1)
    /// Age at which keys that cannot be fetched again are no longer believed.
    package static let maximumKeyAge = Duration.seconds(86_400)
    /// A name in a client's certificate, bytes: a SPIFFE id has 2048 at most.
    package static let maximumCertificateNameBytes = 2048
    /// Tenant name, bytes: identity providers make long ones.
    package static let maximumTenantNameBytes = 512
    /// Time series of all metrics together; tenants that are configured are a part of their labels.
    package static let maximumSeries = 20_000
    /// Tenants that are remembered, each with its counters: credentials may name any number. Those of the configuration
    /// are let in above it.
    package static let maximumTenants = 100_000
    /// Caches of one tenant, made on first use, that have counters of their own; the rest share them. Names that are only
    /// asked for count as well, so no limit on storing may hang on it.
    package static let maximumCountedCaches = 1000
    /// `traceparent` of W3C, bytes.
    package static let maximumTraceParentBytes = 256
    /// `tracestate` of W3C, bytes; the longest that its recipients must pass on.
    package static let maximumTraceStateBytes = 512

    // MARK: gRPC

    /// A tenth of a call's time, and not more than this, is left for the answer's way to the caller, whose clock runs.
    package static let maximumAnswerTravel = Duration.milliseconds(50)
    /// Tokens that were found genuine and are remembered: each call shows one, and to verify one takes 0.1 ms.
    package static let rememberedTokens = 8192
    /// Time for which they are: a token whose key was withdrawn is not accepted for longer than this.
    package static let tokenMemory = Duration.seconds(60)
    /// Credentials that are refused on one connection, one after the other, until it is sent away: each may have made the
    /// server verify a signature. Behind a proxy they may be of several callers.
    package static let maximumRefusedCredentials = 16
    /// Bytes waiting to be written to a peer of whom no call has been let in yet; above it the connection is not read.
    package static let maximumUnwrittenBytesOfStrangers = 64 << 10
    /// Bytes of an answer of which a peer must take some part within `writeDeadline`.
    package static let answerPartBytes = 256 << 10
    /// Streams of one connection that are no calls, such as health watches and reflection: they need no credential.
    package static let maximumSideStreams = 16
    /// Bytes that the peer may send on one of them.
    package static let maximumSideStreamBytes = 64 << 10
    /// What a peer may send on a stream before it is read, bytes: at 1 ms to it, 256 MB/s.
    package static let streamWindowBytes = 256 << 10
    /// Time between the pings of a peer without calls; one that pings more often is sent away.
    package static let minimumPingInterval = Duration.seconds(10)
    /// Time between telling a peer that the server is about to stop and refusing what it opens: the way there and back.
    package static let goAwayNotice = Duration.milliseconds(250)
    /// Time in which a peer must have answered that it knows of the server's end. Its calls in flight are waited for.
    package static let goAwayDeadline = Duration.seconds(2)

    // MARK: Requests

    /// Cache name, bytes.
    package static let maximumCacheNameBytes = 128
    /// Prompt, bytes of UTF-8. The embedder reads its first few hundred tokens; the exact tier all of it.
    package static let maximumPromptBytes = 64 << 10
    /// Messages of a chat.
    package static let maximumMessages = 1000
    /// Role of a message, bytes.
    package static let maximumRoleBytes = 64
    /// Contents of all messages of a chat together, bytes.
    package static let maximumChatBytes = 1 << 20
    /// Response, bytes.
    package static let maximumResponseBytes = 2 << 20
    /// Content type, bytes.
    package static let maximumContentTypeBytes = 256
    /// Vary parts per request.
    package static let maximumVaryParts = 32
    /// Name of a vary part, bytes.
    package static let maximumVaryNameBytes = 128
    /// Value of a vary part, bytes.
    package static let maximumVaryValueBytes = 4 << 10
    /// Attributes per entry.
    package static let maximumAttributes = 64
    /// Name of an attribute, bytes.
    package static let maximumAttributeNameBytes = 64
    /// A string of an attribute, bytes.
    package static let maximumAttributeStringBytes = 4 << 10
    /// Strings of one list attribute.
    package static let maximumAttributeListCount = 256
    /// Dimensions of a vector.
    package static let maximumDimensions = 4096
    /// Matches that one Lookup may ask for.
    package static let maximumTopK = 100
    /// Entry ids that one Invalidate may name.
    package static let maximumEntryIDs = 10_000
    /// Entry ids that an Invalidate reports as a sample.
    package static let maximumSampleIDs = 20
    /// Texts that one Embed may have: 1 MiB of vectors of the largest dimension.
    package static let maximumEmbedTexts = 64
    /// Caches that one Stats reports.
    package static let maximumCachesInStats = 10_000
    /// Entries of one page of an Export.
    package static let maximumExportPage = 256
    /// Bytes of one page, unless a single entry has more: what a server holds for one that exports.
    package static let maximumExportPageBytes = 1 << 20
    /// Entries and partitions that are looked at for one page, so that a filter that takes few of them keeps no reader
    /// from other work: a few milliseconds.
    package static let maximumExportExamined = 4096
    /// Cursor of an Export, bytes; ours are shorter.
    package static let maximumCursorBytes = 256
    /// Time to live that a Store may ask for.
    package static let maximumTimeToLive = Duration.seconds(10 * 365 * 86_400)

    // MARK: Filters

    /// Metadata filter, bytes, as given and in canonical form. A page of text: what is longer is made by a program, and
    /// wants a list.
    package static let maximumFilterBytes = 4 << 10
    /// How deep `not` and parentheses nest. It bounds the recursion of the parser, the evaluator and the translations.
    package static let maximumFilterDepth = 32
    /// Terms, each of them one look at an entry's attributes for every entry that is asked.
    package static let maximumFilterTerms = 128
    /// Values of one list in a filter; as many strings as an attribute may have.
    package static let maximumFilterListCount = 256
    /// A number in a filter, bytes. 17 digits tell any double from its neighbours; the rest is room for zeros.
    package static let maximumFilterNumberBytes = 64
    /// Tags of which an entry is to have one: they are one list of a filter.
    package static let maximumFilterTags = 256

    // MARK: Figures and the admin port

    /// Time for asking the store what tenants have stored, for one scrape: Prometheus waits for ten seconds.
    package static let figuresDeadline = Duration.seconds(3)
    /// Tenants that one answer with statistics names.
    package static let maximumTenantsInFigures = 1000
    /// Open connections of the admin port: a few scrapers and probes. What comes above it waits.
    package static let maximumAdminConnections = 64
    /// Time in which a connection of the admin port must have taken a whole answer, and then the next.
    package static let adminDeadline = Duration.seconds(30)
    /// Header fields of a request to the admin port, bytes together, and how many.
    package static let maximumAdminHeaderBytes = 16 << 10
    package static let maximumAdminHeaders = 100
    /// Body of such a request, bytes: nothing asks for one, and no byte of it is kept.
    package static let maximumAdminBodyBytes = 1 << 10

    // MARK: Memory and queues

    /// Texts waiting for the embedder. At 1 ms for a short one it is what a caller's deadline can bear; a long one takes up
    /// to 17 ms.
    package static let embeddingQueue = 4096
    /// Texts of one batch. Beyond it a batch gains nothing and the first of it waits longer.
    package static let embeddingBatch = 16
    /// Bytes of the texts that wait for it. Prompts of ordinary length never reach it; the longest there are, 64 KiB, are
    /// embedded no slower than others because only their beginning is read, but are kept whole until then.
    package static let embeddingQueueBytes = 32 << 20
    /// Batches of which the time that a text takes is learnt, and how many there must be before anybody is refused by it.
    package static let embeddingTimes = 16
    package static let embeddingTimesNeeded = 4
    /// Batches of Lookups, one after the other, while Stores wait: the next one is of Stores, so that they never starve.
    package static let embeddingLookupBatches = 7
    /// Bytes of vectors remembered by text: 18,000 of 384 dimensions.
    package static let embeddingMemoryBytes = 32 << 20
    /// What a remembered vector takes beside its numbers, bytes: key, tenant, array and two places in a hash table.
    package static let embeddingMemoryOverhead = 192
    /// Batches whose vectors are on their way to where they outlive the process; beyond it those of others stay in memory
    /// only.
    package static let vectorWritesAtOnce = 64
    /// Bytes of texts' vectors in the embedded store's file: 150,000 of 384 dimensions.
    package static let keptVectorBytes = 256 << 20
    /// What one takes there beside its numbers, bytes: four digests, a row and its places in three indexes.
    package static let keptVectorOverhead = 256
    /// Uses of them that are noted until they are written down.
    package static let keptVectorUses = 4096
    /// Store operations waiting for the writer.
    package static let storeQueue = 16_384
    /// Changes committed together.
    package static let storeBatch = 512
    /// Reads waiting for the store's threads.
    package static let storeReadQueue = 4096
    /// Entries of a tenant above which what a full quota takes away is chosen from a sample: all of fewer are looked at.
    package static let evictionSampledAbove = 64
    /// Entries of the sample. Of 16 the least valuable one is among the tenant's least valuable 6 % on average.
    package static let evictionSample = 16
    /// Entries that one put takes away beyond what it needs itself, after a quota was lowered: others wait behind it.
    package static let maximumEvictionsPerPut = 64
    /// Partitions remembered per connection, so that their digest is not computed for each call.
    package static let rememberedPartitions = 64
}
