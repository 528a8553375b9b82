namespace LlmProxy.Core.Configuration;

/// <summary>Which web pages may call the executable from a browser. Ignored by the middleware: an app has CORS of its own.</summary>
public sealed class CorsOptions
{
    /// <summary>Origins as browsers send them, for example <c>https://chat.example.com</c>. Default none: CORS is off.</summary>
    public IList<string> Origins { get; } = [];
}
