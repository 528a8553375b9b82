namespace LlmProxy.Core.Balancing;

/// <summary>What a request's choice of a target hangs on besides chance.</summary>
/// <param name="Hash">Of what keeps it on one target; 0: nothing does.</param>
internal readonly record struct PickKey(ulong Hash);
