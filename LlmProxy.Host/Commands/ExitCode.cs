namespace LlmProxy.Host.Commands;

/// <summary>What the process answers its caller; documented in the help.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>Refused, failed or not usable; the reason is on standard error.</summary>
    public const int Failed = 1;

    /// <summary>The command line itself is wrong.</summary>
    public const int WrongUsage = 2;

    /// <summary>Usable, and somebody should look first: an upstream is down, access is taken away, or it was not compared.</summary>
    public const int Doubtful = 3;

    public const string Help = "Exit codes: 0 done, 1 refused or failed (the reason is on standard error), 2 wrong command line, "
        + "3 \"check --online\" found an upstream down, access taken away, or several instances and no --against.";
}
