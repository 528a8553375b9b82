using System.Text;
using System.Text.Json;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>An upstream and the model's name there.</summary>
internal sealed class Target
{
    private readonly int _star;
    private readonly byte[] _json;

    /// <param name="upstream">Where.</param>
    /// <param name="model">The name there; a star in it stands for what the route's star stood for.</param>
    /// <param name="timeouts">Its clocks; null: the upstream's.</param>
    public Target(Upstream upstream, string model, TimeoutOptions? timeouts = null)
    {
        Upstream = upstream;
        Model = model;
        Timeouts = timeouts ?? upstream.Timeouts;
        _star = model.IndexOf('*');
        _json = Encode(model);
    }

    public Upstream Upstream { get; }

    /// <summary>As configured, with its star if it has one.</summary>
    public string Model { get; }

    /// <summary>The upstream's clocks, or what the model says in their place.</summary>
    public TimeoutOptions Timeouts { get; }

    /// <summary>Its share among the targets of its priority; 0: none but by failover.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>Lower ones are asked first.</summary>
    public int Priority { get; init; }

    /// <summary>Tokens that its context window holds; 0 if that is not known.</summary>
    public int Context { get; init; }

    /// <summary>The name to send for what the star stood for.</summary>
    public string ModelFor(string star) => _star < 0 ? Model : string.Concat(Model.AsSpan(0, _star), star, Model.AsSpan(_star + 1));

    /// <summary>The same as a JSON string.</summary>
    public ReadOnlyMemory<byte> ModelJsonFor(string star) => _star < 0 ? _json : Encode(ModelFor(star));

    /// <summary>A text as a JSON string with its quotes.</summary>
    public static byte[] Encode(string text) =>
        Encoding.UTF8.GetBytes($"\"{JsonEncodedText.Encode(text, ErrorText.JsonOptions.Encoder)}\"");
}
