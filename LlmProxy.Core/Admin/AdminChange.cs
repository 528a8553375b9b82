using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>What came of a change of keys or groups, as an answer.</summary>
internal static class AdminChange
{
    /// <summary>Null if it was done.</summary>
    public static ProxyError? ErrorOf(LlmProxyKeyChange change)
    {
        var words = string.Join(' ', change.Problems.Where(static p => p.IsError).Select(Words));
        return change.Outcome switch
        {
            LlmProxyKeyOutcome.Done => null,
            LlmProxyKeyOutcome.Invalid => AdminErrors.Invalid(words),
            LlmProxyKeyOutcome.NotFound => new ProxyError(404, "not_found", words),
            LlmProxyKeyOutcome.Conflict => AdminErrors.Conflict(words),
            LlmProxyKeyOutcome.NotStored => AdminErrors.NoStore with { Message = words },
            _ => AdminErrors.StoreUnavailable with { Message = words },
        };
    }

    private static string Words(Configuration.ConfigurationProblem problem)
    {
        var text = (problem.Line > 0 ? $"line {problem.Line}: " : "") + (problem.Path.Length > 0 ? problem.Path + ": " : "") + problem.Message;
        return text.Length == 0 || !char.IsLower(text[0]) || problem.Line > 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];
    }
}
