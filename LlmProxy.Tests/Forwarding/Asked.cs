using System.Buffers;
using System.Text;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Tests.Forwarding;

/// <summary>Requests as an attempt gets them, without a client.</summary>
internal static class Asked
{
    /// <param name="path">Of the endpoint, as the table has it.</param>
    /// <param name="stream">A stream is asked for.</param>
    /// <param name="id">What stands in the path where it has an id.</param>
    /// <param name="json">The body; null for one with nothing but a model.</param>
    /// <param name="routes">Where its model leads; null for one of its own.</param>
    public static ForwardRequest For(string path, bool stream = true, string id = "", string? json = null, RouteTable? routes = null)
    {
        var endpoint = EndpointTable.Rows.First(row => row.Path == path);
        var body = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(json ?? (stream ? """{"model":"m","stream":true}""" : """{"model":"m"}""")));
        var fields = RequestFields.Read(body, FieldNames.Standard).Value!;
        var caller = new Caller("c", null, [], false);
        var route = (routes ?? Routes("m")).Resolve(fields.Model, caller, false).Value;
        var request = new ReadRequest(new RequestBody(body, null), fields);
        Selection selection = new Balancer(new LiveStates(TimeProvider.System), TimeProvider.System)
            .Look(route, endpoint.Operation, caller, request, new HeaderDictionary());
        return new ForwardRequest(endpoint, id, "", selection, fields, request.Body, new HeaderDictionary(), null, null);
    }

    /// <summary>Some models of one upstream.</summary>
    public static RouteTable Routes(params string[] models)
    {
        var options = new LlmProxyOptions();
        options.Upstreams["a"] = new UpstreamOptions { Url = new Uri("http://up.example") };
        foreach (var model in models)
        {
            options.Models[model] = new ModelOptions { Targets = { new TargetOptions { Upstream = "a", Model = "up" } }, Headers = { ["x-model"] = model } };
        }

        return RouteTableCompiler.Compile(options);
    }
}
