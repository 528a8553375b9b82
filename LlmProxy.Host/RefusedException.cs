namespace LlmProxy.Host;

/// <summary>Ends a command with one message for people and exit code 1; never with a stack trace.</summary>
internal sealed class RefusedException(string message) : Exception(message);
