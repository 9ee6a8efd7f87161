namespace Ledger.Api.Hosting;

/// <summary>The embedded PostgreSQL cannot be used; the message is complete and written for an operator.</summary>
public sealed class EmbeddedPostgresException : Exception
{
    /// <summary>Makes an exception without a message.</summary>
    public EmbeddedPostgresException() { }

    /// <summary>Makes an exception that says what is wrong and what to do.</summary>
    public EmbeddedPostgresException(string message)
        : base(message) { }

    /// <summary>Makes an exception that says what is wrong and what to do, with its cause.</summary>
    public EmbeddedPostgresException(string message, Exception innerException)
        : base(message, innerException) { }
}
