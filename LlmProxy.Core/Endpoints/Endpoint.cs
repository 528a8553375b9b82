using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Endpoints;

/// <summary>Operations that an upstream can serve.</summary>
[Flags]
internal enum Operations
{
    None = 0,
    Chat = 1,
    Completions = 2,
    Embeddings = 4,
    Models = 8,
}

/// <summary>One operation of the API, as data.</summary>
/// <param name="Operation">What an upstream must serve for it.</param>
/// <param name="Name">Its name in records and configuration.</param>
/// <param name="GenAiName">Its name in the GenAI conventions.</param>
/// <param name="Method">The one method it has.</param>
/// <param name="Path">Its path behind the prefix, with a leading slash; also its path behind an upstream's base.</param>
/// <param name="TakesRest">The rest of the path is an id.</param>
/// <param name="IsLocal">Answered from memory; nothing goes upstream.</param>
/// <param name="CanStream">A request may ask for a stream.</param>
/// <param name="Dialect">How it says things on the wire.</param>
internal sealed record Endpoint(
    Operations Operation, string Name, string GenAiName, string Method, string Path, bool TakesRest, bool IsLocal, bool CanStream, Dialect Dialect);
