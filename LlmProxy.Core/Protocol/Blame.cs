namespace LlmProxy.Core.Protocol;

/// <summary>Who is the cause of an end that is not a success.</summary>
internal enum Blame
{
    Nobody,
    Client,
    Upstream,
    Proxy,
}
