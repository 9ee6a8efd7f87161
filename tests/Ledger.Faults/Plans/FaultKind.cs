namespace Ledger.Faults.Plans;

/// <summary>What can strike a run.</summary>
internal enum FaultKind
{
    /// <summary>A server's process is killed (<c>kill -9</c>) and started again.</summary>
    ServerKilled,

    /// <summary>A server's process is stopped (<c>SIGSTOP</c>) and goes on later with whatever it had in memory.</summary>
    ServerStopped,

    /// <summary>A server is asked to stop and another one is started, as at a deploy.</summary>
    ServerRestarted,

    /// <summary>PostgreSQL is stopped in the mode <c>immediate</c>, which is a crash, and started again.</summary>
    DatabaseCrashed,

    /// <summary>The backend of a writer is killed (<c>kill -9</c>): PostgreSQL ends all backends and recovers by itself.</summary>
    BackendKilled,

    /// <summary>The backend of a writer is told to end.</summary>
    BackendTerminated,

    /// <summary>The backend of a writer is stopped (<c>SIGSTOP</c>) and goes on later.</summary>
    BackendStopped,

    /// <summary>All processes of PostgreSQL are stopped (<c>SIGSTOP</c>) and go on later.</summary>
    DatabaseStopped,

    /// <summary>Every connection of a server to PostgreSQL is reset.</summary>
    ConnectionsCut,

    /// <summary>A server's writer is cut off in the middle of a message, after so many bytes more.</summary>
    CutMidway,

    /// <summary>PostgreSQL has done what a server's writer sent, and its answer is swallowed: whoever asked cannot know.</summary>
    AnswerSwallowed,

    /// <summary>Every connection of a server is reset, and new ones are refused for a while.</summary>
    ConnectionsRefused,

    /// <summary>Nothing passes between a server and PostgreSQL for a while; then everything does.</summary>
    TrafficStalled,

    /// <summary>Whatever passes between a server and PostgreSQL is late.</summary>
    TrafficDelayed,

    /// <summary>The disk under PostgreSQL's tables is full for a while.</summary>
    TableDiskFull,

    /// <summary>The disk under PostgreSQL's write-ahead log is full for a while, which is a crash that cannot recover before there is room.</summary>
    LogDiskFull,

    /// <summary>The file system under the write-ahead log is frozen: whoever commits hangs in the kernel.</summary>
    LogDiskStalled,

    /// <summary>A server's clock steps, and steps back later.</summary>
    ClockStepped,
}
