using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>Answers <c>models</c> and <c>models/{id}</c> from memory.</summary>
internal static class ModelList
{
    /// <summary>All models of a caller.</summary>
    public static ValueTask<int> WriteAllAsync(HttpContext http, Dialect dialect, IReadOnlyList<string> names, ResponseHeaders headers) =>
        LocalAnswer.WriteAsync(http, headers, names, dialect.WriteModels);

    /// <summary>One model.</summary>
    public static ValueTask<int> WriteOneAsync(HttpContext http, Dialect dialect, string name, ResponseHeaders headers) =>
        LocalAnswer.WriteAsync(http, headers, name, dialect.WriteModel);
}
