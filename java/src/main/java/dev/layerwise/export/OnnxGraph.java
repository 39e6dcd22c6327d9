package dev.layerwise.export;

import com.google.protobuf.ByteString;
import dev.layerwise.safetensors.HostTensor;
import java.util.List;
import onnx.Onnx.AttributeProto;
import onnx.Onnx.GraphProto;
import onnx.Onnx.NodeProto;
import onnx.Onnx.TensorProto;
import onnx.Onnx.TensorShapeProto;
import onnx.Onnx.TypeProto;
import onnx.Onnx.ValueInfoProto;

/** A graph of ONNX operators in the making. Values are known by their names. */
final class OnnxGraph {
  private static final String BATCH = "N";

  private final GraphProto.Builder graph = GraphProto.newBuilder();

  OnnxGraph(String name) {
    graph.setName(name);
  }

  /** An operator with one output. */
  final class Node {
    private final NodeProto.Builder node = NodeProto.newBuilder();

    private Node(String operator, String output, List<String> inputs) {
      node.setOpType(operator).setName(output).addAllInput(inputs).addOutput(output);
    }

    Node with(String attribute, long value) {
      node.addAttribute(
          AttributeProto.newBuilder().setName(attribute).setType(AttributeProto.AttributeType.INT).setI(value));
      return this;
    }

    Node with(String attribute, float value) {
      node.addAttribute(
          AttributeProto.newBuilder().setName(attribute).setType(AttributeProto.AttributeType.FLOAT).setF(value));
      return this;
    }

    Node with(String attribute, long... values) {
      AttributeProto.Builder list =
          AttributeProto.newBuilder().setName(attribute).setType(AttributeProto.AttributeType.INTS);
      for (long value : values) {
        list.addInts(value);
      }
      node.addAttribute(list);
      return this;
    }

    /** Adds it to the graph and gives its output's name. */
    String add() {
      graph.addNode(node);
      return node.getOutput(0);
    }
  }

  Node node(String operator, String output, String... inputs) {
    return new Node(operator, output, List.of(inputs));
  }

  /** Adds a float32 constant. */
  String constant(String name, HostTensor value) {
    TensorProto.Builder tensor =
        TensorProto.newBuilder()
            .setName(name)
            .setDataType(TensorProto.DataType.FLOAT_VALUE)
            .setRawData(ByteString.copyFrom(value.data())); // little-endian, as ONNX wants it
    for (long dimension : value.shape()) {
      tensor.addDims(dimension);
    }
    graph.addInitializer(tensor);
    return name;
  }

  /** Adds a vector of integers. */
  String constant(String name, long... values) {
    TensorProto.Builder tensor =
        TensorProto.newBuilder().setName(name).setDataType(TensorProto.DataType.INT64_VALUE).addDims(values.length);
    for (long value : values) {
      tensor.addInt64Data(value);
    }
    graph.addInitializer(tensor);
    return name;
  }

  /** Declares the graph's input, a batch of any size. */
  void input(String name, String documentation, long... dimensions) {
    graph.addInput(value(name, documentation, dimensions));
  }

  /** Declares a value to be an output of the graph, for a batch of any size. */
  void output(String name, String documentation, long... dimensions) {
    graph.addOutput(value(name, documentation, dimensions));
  }

  private static ValueInfoProto value(String name, String documentation, long... dimensions) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    shape.addDim(TensorShapeProto.Dimension.newBuilder().setDimParam(BATCH));
    for (long dimension : dimensions) {
      shape.addDim(TensorShapeProto.Dimension.newBuilder().setDimValue(dimension));
    }
    TypeProto.Tensor tensor =
        TypeProto.Tensor.newBuilder().setElemType(TensorProto.DataType.FLOAT_VALUE).setShape(shape).build();
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setDocString(documentation)
        .setType(TypeProto.newBuilder().setTensorType(tensor))
        .build();
  }

  GraphProto build() {
    return graph.build();
  }
}
